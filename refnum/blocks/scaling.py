"""From the magnitudes of blocks to their scales and factors, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.rule import ScaleRule
from refnum.formats import decode, encode

__all__ = [
    "Scales",
    "block_statistic",
    "compute_scales",
    "largest",
    "prescaled",
    "scale_values",
    "split_flags",
]

Singles = npt.NDArray[np.float32]
Codes = npt.NDArray[np.unsignedinteger[Any]]

_MAGNITUDE = np.uint32(0x7FFFFFFF)


@dataclass(frozen=True)
class Scales:
    """The scales of some blocks, and what their values are multiplied by.

    Parameters
    ----------
    codes : ndarray, shape (blocks,)
        Scale codes.
    decoded : ndarray of float32, shape (blocks,)
        The numbers they stand for.
    factors : ndarray of float32, shape (blocks,)
        What values are multiplied or divided by.
    """

    codes: Codes
    decoded: Singles
    factors: Singles


def largest(blocks: Singles, scratch: npt.NDArray[np.uint32] | None = None) -> Singles:
    """Return each row's largest magnitude; a NaN wins over everything.

    Magnitudes are compared as integers: the order of the bits of nonnegative floats
    is that of their values, with NaN above infinity.
    """
    bits = np.bitwise_and(blocks.view(np.uint32), _MAGNITUDE, out=scratch)
    count, size = bits.shape
    starts = np.arange(0, count * size, size)
    amax = np.asarray(np.maximum.reduceat(bits.reshape(-1), starts), np.uint32)
    as_floats: Singles = amax.view(np.float32)
    return as_floats


def block_statistic(
    blocks: Singles, rule: ScaleRule, scratch: npt.NDArray[np.uint32] | None = None
) -> Singles:
    """Return what the rule looks at: each row's largest magnitude or deviation."""
    if rule.statistic == "amax":
        amax = largest(blocks, scratch)
        return (
            np.maximum(amax, np.float32(rule.amax_floor)) if rule.amax_floor else amax
        )
    with np.errstate(all="ignore"):
        values = blocks.astype(np.float64)
        mean = _sum_in_order(values) / blocks.shape[1]
        variance = _sum_in_order((values - mean[:, None]) ** 2) / blocks.shape[1]
        deviation: Singles = np.sqrt(variance).astype(np.float32)
        return deviation


def _sum_in_order(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Add from the left; `sum` adds in an order that depends on shape and strides."""
    return np.add.accumulate(rows, axis=1)[:, -1]


def compute_scales(statistic: Singles, reference: Singles, fmt: BlockFormat) -> Scales:
    """Return the scale codes of blocks and the factors of their values.

    Parameters
    ----------
    statistic : ndarray of float32, shape (blocks,)
        Each block's largest magnitude.
    reference : ndarray of float32, shape (blocks,) or ()
        The tensor's reference, as `Arithmetic.reference` gives it.
    """
    rule = fmt.rule
    unit = rule.unit_of(fmt.element)
    with np.errstate(all="ignore"):  # infinities and NaNs are results here
        ratio = rule.arithmetic.ratio(statistic, reference, unit)
        if rule.clamp is not None:
            ratio = np.clip(ratio, *np.asarray(rule.clamp, ratio.dtype))
        codes = encode(ratio, fmt.scale, rule.cast_for(fmt.element))
        if rule.zero_block_code is not None:
            codes = np.where(
                statistic == 0, fmt.scale.dtype.type(rule.zero_block_code), codes
            )
        if rule.replace_zero is not None:
            least = encode(rule.replace_zero, fmt.scale)
            codes = np.where(codes == 0, least, codes)
        decoded = np.asarray(decode(codes, fmt.scale), np.float32)
        return Scales(codes, decoded, _factors_of(decoded, statistic, reference, fmt))


def _factors_of(
    values: Singles, statistic: Singles, reference: Singles, fmt: BlockFormat
) -> Singles:
    """Return what each block's values are multiplied or divided by."""
    rule = fmt.rule
    if rule.zero_scale_as is not None:
        values = np.where(values == 0, np.float32(rule.zero_scale_as), values)
    with np.errstate(all="ignore"):
        factors = rule.arithmetic.factor(values, reference, statistic)
    if fmt.prescale != 1.0:
        share = np.float32(fmt.prescale)
        factors = factors / share if rule.arithmetic.divides else factors * share
    return factors.astype(np.float32, copy=False)


def scale_values(codes: Codes, fmt: BlockFormat) -> Singles:
    """Return what codes are multiplied (or divided) by, before the tensor scale."""
    return prescaled(np.asarray(decode(codes, fmt.scale), np.float32), fmt)


def prescaled(values: Singles, fmt: BlockFormat) -> Singles:
    """Return what `scale_values` does, from the numbers that codes stand for."""
    if fmt.prescale != 1.0:
        share = np.float32(1) / np.float32(fmt.prescale)
        values = values / share if fmt.convention == "encode" else values * share
    return values.astype(np.float32, copy=False)


def split_flags(scales: Codes, fmt: BlockFormat) -> tuple[npt.NDArray[np.bool_], Codes]:
    """Return which blocks use the alternate elements, and the bare scale codes."""
    if fmt.alternate is None:
        return np.zeros(scales.shape, np.bool_), scales
    flag = fmt.scale.dtype.type(1 << fmt.scale.bits)
    return (scales & flag) != 0, scales & ~flag
