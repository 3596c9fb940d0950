"""`gemm`: a library's whole product as a schedule of chained instructions.

Vocabulary. A *schedule* says which partial sums exist and in which order they are
added: one accumulator through all of K, promotion of short chains to a float32 total,
or split-K. The *epilogue* is everything after the last partial sum.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import Quantized
from refnum.formats import FP16, FP32, Cast, Format
from refnum.formats import format as _format
from refnum.products import catalog
from refnum.products.engine import accumulate, read_side
from refnum.products.epilogue import Epilogue
from refnum.products.instruction import MatrixInstruction, Model
from refnum.products.lanes import Panel
from refnum.products.models import step_width
from refnum.products.operands import (
    Operand,
    product_shape,
    read_operands,
)
from refnum.products.rounding import Values, to_storage

__all__ = ["gemm"]

_TILE = 256  # rows and columns of D at a time: some buffers fit the L2 cache
_WIDE_TILE = 512  # columns where the fast path works on long rows
_Slices = list[list[slice]]


def gemm(
    a: npt.ArrayLike | Quantized,
    b: npt.ArrayLike | Quantized,
    instruction: str | MatrixInstruction,
    *,
    promote_every: int | None = None,
    split_k: int = 1,
    alpha: float = 1.0,
    beta: float = 0.0,
    c: npt.ArrayLike | None = None,
    bias: npt.ArrayLike | None = None,
    out: Format | str | None = None,
    out_scale: float = 1.0,
    cast: Cast | None = None,
    scale_a: npt.ArrayLike | None = None,
    scale_b: npt.ArrayLike | None = None,
) -> npt.NDArray[Any]:
    """Return a whole product, bit for bit as a kernel of that schedule computes it.

    Parameters
    ----------
    a, b : array_like of codes, shape (..., M, K) and (..., K, N), or Quantized
        Operands. Tensor scales of `Quantized` operands multiply `alpha` in float32,
        first that of A.
    instruction : str or MatrixInstruction
        The instruction or its name.
    promote_every : int, optional
        Chain this many products from zero, then add them to a float32 total. A
        multiple of the products of one step. None chains through all of K.
    split_k : int
        Number of slices of K, of equally many steps (the last may have fewer); their
        sums are added in order in float32.
    alpha, beta : float
        ``alpha * A B + beta * c``, rounded to float32 first.
    c : array_like of float32, shape (..., M, N), optional
        Needed where beta is not 0.
    bias : array_like of float32, optional
        Added to every row or, of shape (M, 1), to every column.
    out : Format or str, optional
        Format of the result; by default that of the accumulator.
    out_scale : float
        Factor before the result is cast.
    cast : Cast, optional
        How the result is cast to `out`: by default to nearest even, with the
        usual saturation of the format.
    scale_a, scale_b : array_like of codes, shape (..., M, K/block), (..., K/block, N)
        Block scales, for the kinds that apply them.

    Returns
    -------
    ndarray
        Codes of `out` where it is given. Otherwise float32, or float16 where the
        instruction accumulates in it and neither the schedule nor the epilogue adds
        anything.

    Raises
    ------
    TypeError
        If codes are no integers, or c or bias no float32.
    ValueError
        If shapes, scales or the schedule do not fit.

    Notes
    -----
    On Hopper, cuBLASLt's FP8 product with fast accumulation is the plain chain, and
    without it ``promote_every=128``; its bf16 output is ``out="bf16"``. Captures of
    an H100 confirm both. They also show that its FP16 products of that size are chains
    with ``out="f16"``; BF16 ones agree, but bf16 outputs hardly tell schedules apart.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> x = np.random.default_rng(0).normal(size=(2, 256)).astype(np.float32)
    >>> a, b = rn.encode(x, rn.E4M3), rn.encode(x.T, rn.E4M3)
    >>> rn.gemm(a, b, "sm90.wgmma.e4m3.e4m3.f32")[0, 0]
    np.float32(260.21875)
    >>> rn.gemm(a, b, "sm90.wgmma.e4m3.e4m3.f32", promote_every=128)[0, 0]
    np.float32(260.4375)
    """
    op = catalog.instruction(instruction)
    left, right = read_operands(a, b, op, scale_a, scale_b)
    shape = product_shape(left, right)
    slices = plan(left.depth, op, promote_every, split_k)
    factor = np.float32(alpha)
    for scale in (left.tensor_scale, right.tensor_scale):
        factor = factor * np.float32(scale)
    target = None if out is None else _format(out)
    epilogue = Epilogue(float(factor), beta, target, out_scale, cast or Cast())
    added = _read_addend(c, "c", shape)
    if epilogue.beta != 0 and added is None:
        raise ValueError(f"beta = {beta} multiplies c: give c")
    shift = _read_addend(bias, "bias", shape)

    partial_sums = sum(map(len, slices))
    plain = epilogue.is_plain and shift is None and partial_sums <= 1
    d = op.d if plain else FP32
    total = np.zeros(shape, np.float16 if d == FP16 else np.float32)
    _fill(total, left, right, op, slices, d)
    if plain:
        return total
    result = epilogue.apply(total.astype(np.float32, copy=False), added, shift)
    if target is None and op.nan_code is not None:
        return to_storage(result, FP32, _float32_nan(op))
    return result


def plan(
    depth: int, op: MatrixInstruction, promote_every: int | None, split_k: int
) -> _Slices:
    """Return the ranges of k of every chain, for each slice of split-K.

    Examples
    --------
    >>> hopper = catalog.instruction("sm90.wgmma.e4m3.e4m3.f32")
    >>> plan(384, hopper, promote_every=128, split_k=2)
    [[slice(0, 128, None), slice(128, 192, None)], [slice(192, 320, None), \
slice(320, 384, None)]]
    """
    width = step_width(op)
    if promote_every is not None and (promote_every < 1 or promote_every % width):
        raise ValueError(
            f"promote_every = {promote_every} is not a positive multiple of {width}, "
            f"the products of a step of {op.name}"
        )
    if split_k < 1:
        raise ValueError(f"split_k = {split_k} is not positive")
    steps = -(-depth // width)
    length = -(-steps // split_k) * width
    slices = []
    for first in range(0, depth, max(length, 1)):
        last = min(first + length, depth)
        step = promote_every or length
        cuts = range(first, last, step)
        slices.append([slice(k, min(k + step, last)) for k in cuts])
    return slices


def _fill(
    total: npt.NDArray[np.floating[Any]],
    left: Operand,
    right: Operand,
    op: MatrixInstruction,
    slices: _Slices,
    d: Format,
) -> None:
    """Compute all tiles of D, of every matrix of a batch."""
    m, n = total.shape[-2:]
    left, right = left.stack(total.shape[:-2]), right.stack(total.shape[:-2])
    nan = op.nan_code if d == op.d else _float32_nan(op)
    width = _tile_columns(op)
    stack = total.reshape(math.prod(total.shape[:-2]), m, n)
    for index, matrix in enumerate(stack):
        for across in range(0, n, width):
            columns = slice(across, across + width)
            b = read_side(right.part(index, columns), op)
            for down in range(0, m, _TILE):
                rows = slice(down, down + _TILE)
                a = read_side(left.part(index, rows), op)
                tile = _scheduled(a, b, op, slices)
                matrix[rows, columns] = to_storage(tile, d, nan)


def _tile_columns(op: MatrixInstruction) -> int:
    """Return the columns of a tile; those of 32-bit operands would take much memory."""
    long_rows = op.model in (Model.FUSED, Model.SCALED, Model.EMULATED)
    return _WIDE_TILE if long_rows and op.b.bits <= 16 else _TILE


def _scheduled(a: Panel, b: Panel, op: MatrixInstruction, slices: _Slices) -> Values:
    """Return one tile: the chains of each slice added, then the slices."""
    shape = a.special.size, b.special.size
    total: Values | None = None
    for chains in slices:
        partial: Values | None = None
        for ks in chains:
            x, y = (side.cut(ks, op.block) for side in (a, b))
            partial = _added(partial, accumulate(x, y, np.zeros(shape), op))
        if partial is not None:
            total = _added(total, partial)
    return np.zeros(shape) if total is None else total


def _added(total: Values | None, partial: Values) -> Values:
    """Return the float32 sum of two float32 arrays held in float64."""
    if total is None:
        return partial
    with np.errstate(over="ignore", invalid="ignore"):
        # Twice as many bits and two more: the second rounding is innocuous.
        return (total + partial).astype(np.float32).astype(np.float64)


def _float32_nan(op: MatrixInstruction) -> int | None:
    return FP32.nan_code if op.nan_code == op.d.nan_code else FP32.quiet_nan_code


def _read_addend(
    x: npt.ArrayLike | None, name: str, shape: tuple[int, ...]
) -> npt.NDArray[np.float32] | None:
    if x is None:
        return None
    array = np.asarray(x)
    if array.dtype != np.float32:
        raise TypeError(f"{name} must be float32, not {array.dtype}")
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"{name} has shape {array.shape}, which does not broadcast to {shape}"
        ) from None
