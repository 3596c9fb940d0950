"""Quantised arrays: how a kernel's blocks differ from those of a golden file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from refnum.blocks import BlockFormat, ChosenFormat, Quantized, dequantize, quantize
from refnum.blocks.coding import apply_factors
from refnum.blocks.geometry import Geometry
from refnum.blocks.outer import block_references, outer_amax, tensor_scale
from refnum.blocks.scale_table import scale_blocks
from refnum.blocks.scaling import block_statistic
from refnum.formats import BF16, FP16, encode, pack, round_to
from refnum.golden.diagnosis.deviation import Array, Outputs

__all__ = ["AnyFormat", "Quantization", "compute_blocks", "compute_scales"]

AnyFormat = BlockFormat | ChosenFormat

_SMALLEST_NORMAL = np.float32(2.0**-126)
_TRUNCATED = np.uint32(0xFFFF0000)  # the bits of a float32 that bfloat16 keeps


@dataclass(frozen=True)
class Quantization:
    """All that decides the outputs of a quantised array.

    Parameters
    ----------
    format : BlockFormat or ChosenFormat
        The target.
    axis : int
        The blocked axis.
    read : str
        How the array is read first: ``exact``, ``flushed`` (subnormals are zero),
        ``bf16``, ``bf16 truncated`` or ``fp16``.
    late : int
        How many elements late the blocks begin, in each row.
    borrowed : int
        How many blocks away, in C order, the block is whose scale a block takes.
    applied : str
        How values use the tensor scale: ``once``, ``never``, ``twice``, ``inverse``.
    divided : bool
        Whether values divide by the block scale, as if it were the inverse.
    """

    format: AnyFormat
    axis: int = -1
    read: str = "exact"
    late: int = 0
    borrowed: int = 0
    applied: str = "once"
    divided: bool = False


def compute_blocks(record: Quantization, *, x: Array) -> Outputs:
    """Return tensor scale, scales, codes, packed codes and values of an array."""
    axis = record.axis
    moved = np.roll(_as_read(x, record.read), -record.late, axis=axis)
    if record.borrowed:
        q = _with_borrowed_scales(moved, record)
    else:
        q = quantize(moved, record.format, axis=axis)
    codes = np.roll(q.codes, record.late, axis=axis)
    values = np.roll(_values(q, record), record.late, axis=axis)
    outputs: dict[str, Array] = {
        "scales": q.scales,
        "codes": codes,
        "packed": pack(codes, q.format.element.bits),
        "values": values,
    }
    if q.tensor_scale is not None:
        outputs = {"tensor_scale": np.asarray(q.tensor_scale), **outputs}
    return outputs


def compute_scales(record: BlockFormat, *, amax: Array) -> Outputs:
    """Return the scale code of each magnitude, as that of a block of its own."""
    return {"code": quantize(amax[:, None], record).scales[:, 0]}


def _as_read(x: Array, how: str) -> Array:
    if how == "flushed":
        tiny = np.abs(x) < _SMALLEST_NORMAL
        return np.where(tiny, np.copysign(np.float32(0), x), x)
    if how == "bf16 truncated":
        cut = x.astype(np.float32).view(np.uint32) & _TRUNCATED
        return np.where(np.isnan(x), x, cut.view(np.float32))
    if how == "exact":
        return x
    return round_to(x, BF16 if how == "bf16" else FP16)


def _values(q: Quantized, record: Quantization) -> Array:
    """Return what a reader of the codes makes of them."""
    scale = q.tensor_scale
    if record.divided:
        # The other reading: multiplied, where the format divides.
        other = "decode" if q.format.convention == "encode" else "encode"
        q = replace(q, format=replace(q.format, convention=other))
    if scale is None or record.applied == "once":
        if record.applied != "once":
            raise ValueError("there is no tensor scale")
        return dequantize(q)
    if record.applied == "never":
        return dequantize(replace(q, tensor_scale=np.ones_like(scale)[()]))
    factor = scale if record.applied == "twice" else np.float32(1) / scale
    if record.applied == "inverse":
        return dequantize(replace(q, tensor_scale=factor))
    if np.ndim(factor):
        raise ValueError("one tensor scale is needed")
    return dequantize(q) * factor


def _with_borrowed_scales(x: Array, record: Quantization) -> Quantized:
    """Quantise with the scale of another block: an index that is off."""
    fmt = record.format
    if not isinstance(fmt, BlockFormat) or fmt.levels:
        raise ValueError(f"{fmt} has no single scale a block")
    geometry = Geometry.of(x.shape, record.axis, fmt)
    blocks = geometry.to_blocks(np.ascontiguousarray(x, np.float32))
    amax = outer_amax(blocks, geometry, fmt)
    statistic = np.roll(block_statistic(blocks, fmt.rule), -record.borrowed)
    scales = scale_blocks(statistic, block_references(amax, geometry, fmt), fmt)
    scaled = np.empty_like(blocks)
    apply_factors(blocks, scales, fmt, scaled)
    codes = encode(scaled, fmt.element, fmt.element_cast)
    return Quantized(
        geometry.from_blocks(codes).reshape(x.shape),
        geometry.scales_from_blocks(scales.codes),
        tensor_scale(amax, fmt),
        fmt,
        record.axis,
    )
