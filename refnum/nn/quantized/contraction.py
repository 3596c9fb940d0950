"""One product of two operands, as a recipe's `Gemm` says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import matmul
from refnum.blocks import Quantized
from refnum.formats import round_to
from refnum.nn.quantized.operands import Taken
from refnum.nn.quantized.outliers import residual_product
from refnum.products import gemm
from refnum.recipes import Gemm

__all__ = ["multiply", "transposed"]

_Array = npt.NDArray[np.floating[Any]]


def transposed(taken: Taken) -> Taken:
    """Return an operand with its axes swapped, codes and scales included."""
    q, codes, residual = taken.quantized, taken.codes, taken.residual
    if q is not None:
        scale = q.tensor_scale
        if isinstance(scale, np.ndarray) and scale.ndim:
            q = None  # a scale for each row: no instruction takes it
        else:
            q = Quantized(q.codes.T, q.scales.T, scale, q.format, 1 - q.axis % 2)
    return replace(
        taken,
        values=taken.values.T,
        source=taken.source.T,
        quantized=q,
        codes=None if codes is None else codes.T,
        residual=None if residual is None else residual.T,
    )


def multiply(a: Taken, b: Taken, product: Gemm) -> _Array:
    """Return the product of two operands.

    Parameters
    ----------
    a, b : Taken, shape (M, K) and (K, N)
        The operands.
    product : Gemm
        How it adds up, and what the result goes through.

    Returns
    -------
    ndarray, shape (M, N)
        float32, or float64 where an unquantised operand is.

    Notes
    -----
    The operands' values are float32, with all scales in them. A schedule of
    instructions takes codes instead, and multiplies tensor scales in its epilogue.
    What clamping cut off from A is multiplied by B's values, exactly and rounded once
    unless the product has an order of its own, and added.
    """
    shape = a.values.shape[0], b.values.shape[1]
    if 0 in (*shape, a.values.shape[1]):
        return np.zeros(shape, np.float32)
    if product.kernel is not None:
        kernel = product.kernel
        y: _Array = gemm(
            _codes(a),
            _codes(b),
            kernel.op,
            promote_every=kernel.promote_every,
            split_k=kernel.split_k,
        )
        y = np.asarray(y, np.float32)
    else:
        y = _matmul(a.values, b.values, product)
    with np.errstate(over="ignore", invalid="ignore"):
        if a.residual is not None:
            y += _residual(a.residual, b.values, product)
        if product.correction != 1:
            y *= y.dtype.type(product.correction)
    if product.output is not None:
        y = round_to(y, product.output).astype(y.dtype, copy=False)
    return y


def _matmul(a: _Array, b: _Array, product: Gemm) -> _Array:
    if a.dtype != b.dtype:
        a, b = a.astype(np.float64), b.astype(np.float64)
    return np.asarray(matmul(a, b, accumulator=product.accumulator))


def _residual(rest: _Array, b: _Array, product: Gemm) -> _Array:
    """Return the product of what is almost everywhere 0."""
    if product.accumulator is not None or b.dtype != np.float32:
        return _matmul(rest, b, product)
    return residual_product(rest, b.T)


def _codes(operand: Taken) -> Any:
    found = operand.codes if operand.quantized is None else operand.quantized
    if found is None:
        raise ValueError("an instruction multiplies codes, which this operand lacks")
    return found
