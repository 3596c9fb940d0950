"""`matmul`: products that no chip is meant by, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import Quantized, dequantize
from refnum.products.exact import exact_product
from refnum.products.orders import (
    fma_chain_product,
    pairwise_product,
    sequential_product,
)

__all__ = [
    "EXACT",
    "FMA_CHAIN",
    "PAIRWISE",
    "SEQUENTIAL",
    "Accumulator",
    "matmul",
]

_Matrix = npt.NDArray[np.floating[Any]]
_Single = npt.NDArray[np.float32]


class Accumulator(Enum):
    """How the products of one output become a float32."""

    EXACT = "exact"
    """The exact sum of exact products, rounded once to nearest even."""
    SEQUENTIAL = "sequential"
    """float32 products added to a float32 total in the order of k."""
    PAIRWISE = "pairwise"
    """float32 products added in a binary tree, full subtrees first."""
    FMA_CHAIN = "fma_chain"
    """One float32 fused multiply-add after the other, in the order of k."""


EXACT = Accumulator.EXACT
SEQUENTIAL = Accumulator.SEQUENTIAL
PAIRWISE = Accumulator.PAIRWISE
FMA_CHAIN = Accumulator.FMA_CHAIN

_ORDERS: dict[Accumulator, Callable[[_Single, _Single], _Single]] = {
    SEQUENTIAL: sequential_product,
    PAIRWISE: pairwise_product,
    FMA_CHAIN: fma_chain_product,
}


def matmul(
    a: npt.ArrayLike | Quantized,
    b: npt.ArrayLike | Quantized,
    *,
    accumulator: Accumulator = EXACT,
) -> _Single:
    """Return the float32 matrix product with a defined accumulation.

    Parameters
    ----------
    a, b : array_like or Quantized, shape (..., M, K) and (..., K, N)
        Factors. A `Quantized` counts as the values of its codes and scales, of any
        axis and block.
    accumulator : Accumulator
        `EXACT` needs no order. `SEQUENTIAL`, `PAIRWISE` and `FMA_CHAIN` are float32
        in a fixed order, and take float16, float32 and `Quantized` factors; the
        latter are dequantised to float32 first.

    Returns
    -------
    ndarray of float32, shape (..., M, N)
        The product, equal to the bit on every machine, BLAS and number of threads.

    Raises
    ------
    TypeError
        If a factor holds no real numbers, or float64 where float32 is added.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> a = np.array([[1.0, 2.0**-30, -1.0]], np.float32)
    >>> b = np.ones((3, 1), np.float32)
    >>> rn.matmul(a, b), rn.matmul(a, b, accumulator=rn.SEQUENTIAL)
    (array([[9.313226e-10]], dtype=float32), array([[0.]], dtype=float32))
    """
    if not isinstance(accumulator, Accumulator):
        raise TypeError(f"accumulator must be an Accumulator, not {accumulator!r}")
    left, right = _read(a, "a", accumulator), _read(b, "b", accumulator)
    (x, factor_x), (y, factor_y) = left, right
    shape = _product_shape(x, y)
    if y.ndim == 2 < x.ndim:  # one matrix for a whole stack: one product
        x = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    batch = shape[:-2] if x.ndim > 2 or y.ndim > 2 else ()
    x, y = _stack(x, batch), _stack(y, batch)
    if accumulator is EXACT:
        out = exact_product(x, y, factor_x * factor_y)
    else:
        add = _ORDERS[accumulator]
        out = np.empty((len(x), x.shape[1], y.shape[2]), np.float32)
        for p, q, result in zip(x, y, out, strict=True):
            result[...] = add(p, q)
    return out.reshape(shape)


def _read(
    x: npt.ArrayLike | Quantized, name: str, accumulator: Accumulator
) -> tuple[_Matrix, float]:
    """Return the values of a factor, and an exact factor of them all."""
    if isinstance(x, Quantized):
        if accumulator is not EXACT:
            return dequantize(x), 1.0
        scale = x.tensor_scale
        combines = x.format.rule.arithmetic.combines
        if scale is None or np.ndim(scale) or combines or not np.isfinite(scale):
            return dequantize(x, np.float64), 1.0
        # Apart from it, values have few bits and their products are exact.
        bare = replace(x, tensor_scale=np.float32(1))
        return dequantize(bare, np.float64), float(scale)
    array = np.asarray(x)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise TypeError(
            f"{name} must hold float16, float32, float64 or integers, not {array.dtype}"
        )
    if array.ndim < 2:
        raise ValueError(f"{name} must be a matrix or a stack, not {array.shape}")
    if array.dtype.kind in "iu":
        return _read_integers(array, name), 1.0
    if accumulator is not EXACT:
        if array.dtype == np.float64:
            raise TypeError(
                f"{name} is float64, and {accumulator.value} adds float32: round it first"
            )
        return array.astype(np.float32, copy=False), 1.0
    return array, 1.0


def _read_integers(array: npt.NDArray[Any], name: str) -> _Matrix:
    """Return integers as float32 or float64, whichever holds them all."""
    for dtype in (np.float32, np.float64):
        values: _Matrix = array.astype(dtype)
        if (values.astype(array.dtype) == array).all():
            return values
    raise ValueError(f"{name} holds integers that float64 does not")


def _stack(x: _Matrix, batch: tuple[int, ...]) -> _Matrix:
    """Return matrices broadcast to a batch, which is flattened."""
    whole = np.broadcast_to(x, (*batch, *x.shape[-2:]))
    return whole.reshape(math.prod(batch), *x.shape[-2:])


def _product_shape(x: _Matrix, y: _Matrix) -> tuple[int, ...]:
    if x.shape[-1] != y.shape[-2]:
        raise ValueError(
            f"a has K = {x.shape[-1]} columns, but b has {y.shape[-2]} rows"
        )
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise ValueError(
            f"a and b have batches {x.shape[:-2]} and {y.shape[:-2]}, which do not match"
        ) from None
    return (*batch, x.shape[-2], y.shape[-1])
