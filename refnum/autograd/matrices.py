"""Matrix products, each one primitive that asks `refnum.products` to accumulate."""

from __future__ import annotations

from typing import Any

import numpy as np

from refnum.autograd.mode import Numerics
from refnum.autograd.numerics import product_of
from refnum.autograd.operation import Operation
from refnum.autograd.operators import OPERATIONS
from refnum.autograd.shaping import expand_dims, reshape, squeeze, swapaxes
from refnum.autograd.tensor import Tensor, plain
from refnum.products import Accumulator

__all__ = ["linear", "matmul"]

_product: Operation = Operation(
    "matmul",
    product_of,
    "a b",
    "accumulator",
    a=lambda g, b, accumulator: _times(g, _turned(b), accumulator),
    b=lambda g, a, accumulator: _times(_turned(a), g, accumulator),
)


def _times(a: Any, b: Any, accumulator: Accumulator | None) -> Any:
    """Return the product; of arrays without the cost of a call of the operation."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return _product(a, b, accumulator)
    return product_of(a, b, accumulator)


def _turned(x: Any) -> Any:
    return swapaxes(x, -1, -2) if isinstance(x, Tensor) else x.swapaxes(-1, -2)


def matmul(
    a: Any,
    b: Any,
    *,
    accumulator: Accumulator | None = None,
    numerics: Numerics | None = None,
) -> Any:
    """Return the matrix product.

    Parameters
    ----------
    a, b : Tensor or array, shape (..., M, K) and (..., K, N)
        Factors; stacks broadcast, and vectors count as a row and a column, as in
        ``numpy.matmul``.
    accumulator : Accumulator, optional
        How products add up, here and in the backward pass; the numerics' own without.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray, shape (..., M, N)
        The product.

    Raises
    ------
    TypeError
        If an accumulator is asked for float64.
    ValueError
        If shapes do not fit.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.autograd import Tensor, matmul
    >>> w = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> y = matmul(w, [1.0, 1.0], accumulator=rn.SEQUENTIAL)
    >>> y.data, y.numerics.name
    (array([3., 7.], dtype=float32), 'reproducible')
    """
    a, b = _factor(a, b), _factor(b, a)
    if not (a.ndim and b.ndim):
        raise ValueError("a product needs factors of at least one axis")
    depth = b.shape[max(b.ndim - 2, 0)]
    if a.shape[-1] != depth:
        raise ValueError(f"a of shape {a.shape} does not fit b of shape {b.shape}")
    row, column = a.ndim == 1, b.ndim == 1
    left = expand_dims(a, 0) if row else a
    right = expand_dims(b, 1) if column else b
    batch = left.shape[:-1]
    flat = right.ndim == 2 < left.ndim
    if flat:  # one product: its gradients are one product too
        left = reshape(left, (int(np.prod(batch)), depth))
    out = _product(left, right, accumulator, numerics=numerics)
    if flat:
        out = reshape(out, (*batch, right.shape[-1]))
    added = (-2,) * row + (-1,) * column
    return squeeze(out, added) if added else out


def linear(
    x: Any, weight: Any, bias: Any = None, *, numerics: Numerics | None = None
) -> Any:
    """Return ``x @ weight.T + bias``, as a linear layer computes it.

    Parameters
    ----------
    x : Tensor or array, shape (..., K)
        Activations.
    weight : Tensor or array, shape (N, K)
        Weights.
    bias : Tensor or array, shape (N,), optional
        Added to each row.
    numerics : Numerics, optional
        Arithmetic of this call.

    Returns
    -------
    Tensor or ndarray, shape (..., N)
        The layer's result.
    """
    out = matmul(x, swapaxes(weight, 0, 1), numerics=numerics)
    return out if bias is None else OPERATIONS["add"](out, bias, numerics=numerics)


def _factor(x: Any, other: Any) -> Any:
    """Return a list of numbers as an array of the other factor's type."""
    if isinstance(x, list | tuple):
        return np.asarray(x, plain(other).dtype)
    return x


OPERATIONS["matmul"] = matmul
