"""What instructions take: codes or `Quantized` tensors, with k on the last axis.

Vocabulary. An *operand* is one factor of a product in codes of shape (..., rows, K),
for A and for B alike, whose rows are the columns of B. Values are decoded when and
where they are needed, so that a large product never holds them all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import Quantized
from refnum.formats import FP32, TF32, UE4M3, Format, decode
from refnum.products.instruction import MatrixInstruction
from refnum.products.models import step_width
from refnum.products.rounding import Values

__all__ = ["Operand", "product_shape", "read_operands"]

_Codes = npt.NDArray[np.unsignedinteger[Any]]
_TF32_DROPPED = 13  # low bits of a 32-bit register that TF32 does not read


@dataclass(frozen=True)
class Operand:
    """One factor, undecoded.

    Parameters
    ----------
    codes : array of codes, shape (..., rows, K)
        Elements; TF32 as 32-bit registers.
    format : Format
        What the codes mean.
    scales : array of codes, shape (..., rows, K / block), or None
        Block scales.
    scale_format : Format or None
        What the scale codes mean.
    tensor_scale : float
        Factor of the whole tensor, exact in float32.
    """

    codes: _Codes
    format: Format
    scales: _Codes | None = None
    scale_format: Format | None = None
    tensor_scale: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the codes."""
        return self.codes.shape

    @property
    def depth(self) -> int:
        """K, whole steps."""
        return int(self.codes.shape[-1])

    def values(self) -> Values:
        """Return the element values without any scale."""
        return _decode(self.codes, self.format)

    def scale_values(self) -> Values | None:
        """Return the values of the block scales."""
        if self.scales is None or self.scale_format is None:
            return None
        return _decode(self.scales, self.scale_format)

    def part(self, batch: Any, rows: slice) -> Operand:
        """Return some rows of some of the stacked matrices."""
        scales = None if self.scales is None else self.scales[batch][..., rows, :]
        return replace(self, codes=self.codes[batch][..., rows, :], scales=scales)

    def cut(self, ks: slice, block: int | None) -> Operand:
        """Return the operand between two k, both multiples of `block`."""
        scales = self.scales
        if scales is not None and block is not None:
            scales = scales[..., ks.start // block : ks.stop // block]
        return replace(self, codes=self.codes[..., ks], scales=scales)

    def take(self, rows: npt.NDArray[np.intp]) -> Operand:
        """Return the given rows of a two-dimensional operand."""
        scales = None if self.scales is None else self.scales[rows]
        return replace(self, codes=self.codes[rows], scales=scales)

    def stack(self, batch: tuple[int, ...]) -> Operand:
        """Return the operand broadcast to a batch and flattened to one stack."""

        def spread(codes: _Codes) -> _Codes:
            whole = np.broadcast_to(codes, (*batch, *codes.shape[-2:]))
            return whole.reshape(math.prod(batch), *codes.shape[-2:])

        scales = None if self.scales is None else spread(self.scales)
        return replace(self, codes=spread(self.codes), scales=scales)


def read_operands(
    a: npt.ArrayLike | Quantized,
    b: npt.ArrayLike | Quantized,
    op: MatrixInstruction,
    scale_a: npt.ArrayLike | None = None,
    scale_b: npt.ArrayLike | None = None,
) -> tuple[Operand, Operand]:
    """Return A and B for the models, K padded with zeros to a whole number of steps.

    Parameters
    ----------
    a, b : array of codes, shape (..., M, K) and (..., K, N), or Quantized
        The operands. A `Quantized` must be blocked along K.
    op : MatrixInstruction
        Says what the codes mean.
    scale_a, scale_b : array of codes, shape (..., M, K/block) and (..., K/block, N)
        Block scales, for codes of an instruction that applies them.

    Raises
    ------
    ValueError
        If shapes, formats or blocks do not fit, or scales are missing or refused.
    """
    left = _read(a, "a", op.a, op, scale_a, blocked=-1)
    right = _read(b, "b", op.b, op, scale_b, blocked=-2)
    depth = left.depth
    if depth != right.depth:
        raise ValueError(f"a has K = {depth} columns, but b has {right.depth} rows")
    if op.block is not None and depth % op.block:
        raise ValueError(
            f"K = {depth} is not a multiple of the {op.block} elements of a scale"
        )
    product_shape(left, right)
    return _pad(left, op), _pad(right, op)


def product_shape(left: Operand, right: Operand) -> tuple[int, ...]:
    """Return the shape of D, or raise."""
    batches = left.shape[:-2], right.shape[:-2]
    try:
        batch = np.broadcast_shapes(*batches)
    except ValueError:
        raise ValueError(
            f"a and b have batches {batches[0]} and {batches[1]}, which do not match"
        ) from None
    return (*batch, left.shape[-2], right.shape[-2])


def _read(
    x: npt.ArrayLike | Quantized,
    name: str,
    fmt: Format,
    op: MatrixInstruction,
    scales: npt.ArrayLike | None,
    *,
    blocked: int,
) -> Operand:
    tensor_scale = 1.0
    if isinstance(x, Quantized):
        if scales is not None:
            raise ValueError(
                f"{name} carries its own scales; scale_{name} is for codes"
            )
        codes: npt.ArrayLike = x.codes
        scales, tensor_scale = _read_scales(x, name, fmt, op, blocked)
    else:
        codes = x
        if op.scale is not None and scales is None:
            raise ValueError(f"{op.name} multiplies block scales: give scale_{name}")
        if op.scale is None and scales is not None:
            raise ValueError(
                f"{op.name} applies no block scales: leave out scale_{name}"
            )
    checked = _k_last(_as_codes(codes, fmt), blocked)
    if scales is None or op.scale is None:
        return Operand(checked, fmt, tensor_scale=tensor_scale)
    scale_codes = _k_last(_as_codes(scales, op.scale), blocked)
    assert op.block is not None
    expected = (*checked.shape[:-1], checked.shape[-1] // op.block)
    if scale_codes.shape != expected:
        raise ValueError(
            f"scale_{name} gives {scale_codes.shape[-1]} scales to each of "
            f"{scale_codes.shape[:-1]} rows; {expected} is needed, one for {op.block} "
            "elements"
        )
    return Operand(checked, fmt, scale_codes, op.scale, tensor_scale)


def _read_scales(
    x: Quantized, name: str, fmt: Format, op: MatrixInstruction, blocked: int
) -> tuple[_Codes | None, float]:
    """Return the block scales that the instruction applies, and the factor left over."""
    kind = x.format
    found = (kind.element, kind.scale, kind.block)
    expected = (fmt, op.scale, op.block)
    scalar = 1.0 if x.tensor_scale is None else x.tensor_scale
    if kind.convention != "decode" or kind.alternate or kind.prescale != 1:
        raise ValueError(f"{name} is {kind}, whose scales no instruction multiplies")
    if np.ndim(scalar):
        raise ValueError(f"{name} has a scale for each row; one for all is needed")
    if op.scale is None and (kind.element, kind.block) == (fmt, "tensor"):
        # One scale for the whole tensor is the epilogue's business.
        whole = decode(x.scales, kind.scale, np.float64)
        return None, float(scalar) * float(whole.reshape(()))
    if found != expected:
        takes = f"{fmt} codes" + (
            f" with {op.scale} for {op.block}" if op.scale else ""
        )
        raise ValueError(
            f"{name} holds {found[0]} codes with {found[1]} for {found[2]}; {op.name} "
            f"takes {takes}"
        )
    if x.axis % x.codes.ndim != x.codes.ndim + blocked:
        raise ValueError(f"{name} is blocked along axis {x.axis}, not along K")
    return x.scales, float(scalar)


def _as_codes(codes: npt.ArrayLike, fmt: Format) -> _Codes:
    """Return codes in the format's unsigned type, or raise."""
    array = np.asarray(codes)
    if array.dtype.kind not in "ui":
        raise TypeError(f"codes must be integers, not {array.dtype}")
    if fmt == UE4M3:
        array = array & 0x7F  # the register has a sign bit that is not read
    if array.size:
        least, most = int(array.min()), int(array.max())
        limit = 1 << (32 if fmt == TF32 else fmt.bits)
        if least < 0 or most >= limit:
            wrong = least if least < 0 else most
            raise ValueError(f"code {wrong} is not below {limit}, as {fmt} codes are")
        if fmt == TF32 and most < 1 << TF32.bits:
            # As registers, all of these would be subnormal: they are TF32 codes.
            array = array.astype(np.uint32) << np.uint32(_TF32_DROPPED)
    return array.astype(fmt.dtype, copy=False)


def _decode(codes: _Codes, fmt: Format) -> Values:
    if fmt == TF32:
        kept = np.uint32(0xFFFFFFFF >> _TF32_DROPPED << _TF32_DROPPED)
        codes, fmt = codes & kept, FP32
    return decode(codes, fmt, np.float64).astype(np.float64, copy=False)


def _k_last(codes: _Codes, blocked: int) -> _Codes:
    if codes.ndim < 2:
        raise ValueError(
            f"operands are matrices or stacks of them, not of shape {codes.shape}"
        )
    return codes if blocked == -1 else codes.swapaxes(-1, -2)


def _pad(operand: Operand, op: MatrixInstruction) -> Operand:
    """Return the operand with zeros to the end of the last step; they change nothing.

    A zero product aligns below every other term, and adds zero in the other models.
    """
    missing = -operand.depth % step_width(op)
    if not missing:
        return operand
    widths = [(0, 0)] * (operand.codes.ndim - 1)
    codes = np.pad(operand.codes, [*widths, (0, missing)])
    scales = operand.scales
    if scales is not None and op.block is not None:
        # Code 1 is a number in every format of scales.
        more = (0, missing // op.block)
        scales = np.pad(scales, [*widths, more], constant_values=1)
    return replace(operand, codes=codes, scales=scales)
