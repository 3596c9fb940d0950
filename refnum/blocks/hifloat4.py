"""One-bit exponents between a block's scale and its elements, as in HiFloat4.

HiFloat4 puts 64 elements under one E6M2 scale. Below it are two *levels* of one-bit
exponents: one for each 8 elements, and one for each 4. An element k / 4 stands for
``scale * 2**(bit of its 8 + bit of its 4) * k / 4``, so a block reaches 7 scales.

Layout. The scale and the bits of a block are one uint32 *word*: the E6M2 code in bits
0 to 7, the bit of elements 8j to 8j + 7 in bit 8 + j, the bit of elements 4j to 4j + 3
in bit 16 + j. In general the levels follow the scale's code in the order of the record.

A group's bit is set where the group's largest magnitude, divided by the scale and by
what the levels above have set, reaches the power of two that is half of what the
remaining bits can reach: 4 on the first of two levels, 2 on the second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.scaling import Codes, Scales, Singles, largest
from refnum.blocks.steps import Arithmetic, Floats, no_reference, scale_is_reference
from refnum.formats import BF16, Cast, decode, encode

__all__ = ["HIFLOAT4_ORDER", "encode_levels", "join_levels", "split_levels"]

Bits = npt.NDArray[np.uint32]

_NONE = Cast()  # BF16's own: to nearest even, infinities stay


def _round_bf16(x: Floats) -> Floats:
    return decode(encode(x, BF16, _NONE), BF16)


def _ratio(amax: Floats, _: Floats, unit: float) -> Floats:
    inverse = _round_bf16(np.asarray(1 / unit))
    return _round_bf16(amax.astype(np.float64) * inverse.astype(np.float64))


HIFLOAT4_ORDER = Arithmetic(
    "hifloat4",
    no_reference,
    ratio=_ratio,
    factor=lambda scale, *_: _round_bf16(1 / scale.astype(np.float64)),
    tensor_scale=scale_is_reference,
    steps=("t = bf16(amax * bf16(1 / unit))", "y = x * bf16(1 / scale), exact"),
)
"""Both reciprocals and t are rounded to BF16 once; y and all comparisons are exact."""


def encode_levels(
    blocks: Singles, scales: Scales, fmt: BlockFormat
) -> tuple[list[Bits], npt.NDArray[np.float64]]:
    """Return the bits of each level, (count, groups), and the exactly scaled values.

    A product of 24 by 8 bits is exact in float64.
    """
    count, size = blocks.shape
    factors = scales.factors.astype(np.float64)[:, None]
    exponents: list[Bits] = []
    with np.errstate(all="ignore"):
        scaled = blocks * factors
        for depth, group in enumerate(fmt.levels):
            amax = largest(blocks.reshape(-1, group)).reshape(count, -1)
            above = _spread(exponents, fmt, group, count)
            reach = amax * factors * np.ldexp(1.0, -above)
            threshold = 2.0 ** (len(fmt.levels) - depth)
            exponents.append((reach >= threshold).astype(np.uint32))
        finest = fmt.levels[-1]
        power = np.ldexp(1.0, -_spread(exponents, fmt, finest, count))
        in_groups = scaled.reshape(count, size // finest, finest)
        in_groups *= power[:, :, None]
    return exponents, scaled


def join_levels(codes: Codes, exponents: list[Bits], fmt: BlockFormat) -> Codes:
    """Return one word a block: the scale's code, then the bits of each level."""
    words = codes.astype(np.uint32)
    start = fmt.scale.bits
    for bits in exponents:
        places = np.arange(start, start + bits.shape[1], dtype=np.uint32)
        words |= np.bitwise_or.reduce(bits << places, axis=1)
        start += bits.shape[1]
    return words


def split_levels(words: Codes, fmt: BlockFormat) -> tuple[Codes, Singles]:
    """Return the scale codes, and the powers of two of the finest groups."""
    assert isinstance(fmt.block, int)
    exponents: list[Bits] = []
    start = fmt.scale.bits
    for group in fmt.levels:
        count = fmt.block // group
        places = np.arange(start, start + count, dtype=np.uint32)
        exponents.append((words[:, None] >> places) & np.uint32(1))
        start += count
    codes = (words & np.uint32((1 << fmt.scale.bits) - 1)).astype(fmt.scale.dtype)
    sums = _spread(exponents, fmt, fmt.levels[-1], len(words))
    powers: Singles = np.ldexp(np.float32(1), sums)
    return codes, powers


def _spread(
    exponents: list[Bits], fmt: BlockFormat, group: int, count: int
) -> npt.NDArray[Any]:
    """Return the sum of the bits above each run of `group` elements."""
    assert isinstance(fmt.block, int)
    total = np.zeros((count, fmt.block // group), np.int32)
    for bits, size in zip(exponents, fmt.levels, strict=False):
        total += np.repeat(bits, size // group, axis=1).astype(np.int32)
    return total
