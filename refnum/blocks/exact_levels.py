"""The second derivation of the one-bit exponents below a scale, by fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from refnum.blocks.block_format import BlockFormat
from refnum.formats.exact import encode

__all__ = ["quantize_levels", "split_levels"]


def quantize_levels(
    x: Sequence[float],
    scale: int,
    factor: float,
    fmt: BlockFormat,
    random: Sequence[int] | None,
) -> tuple[list[int], int]:
    """Set the bits of each level from the coarsest on, then round what is left."""
    y = [_product(one, factor) for one in x]
    word, place = scale, fmt.scale.bits
    for depth, size in enumerate(fmt.levels):
        half_of_reach = 2 ** (len(fmt.levels) - depth)
        for start in range(0, len(y), size):
            group = y[start : start + size]
            if any(abs(one) >= half_of_reach for one in group):
                y[start : start + size] = [one / 2 for one in group]
                word |= 1 << place
            place += 1
    bits = [0] * len(y) if random is None else random
    element, cast = fmt.element, fmt.element_cast
    codes = [encode(one, element, cast, r) for one, r in zip(y, bits, strict=True)]
    return codes, word


def split_levels(word: int, fmt: BlockFormat) -> tuple[int, list[int]]:
    """Return the scale's code and how many bits are set above each element."""
    assert isinstance(fmt.block, int)
    scale, rest = word % 2**fmt.scale.bits, word >> fmt.scale.bits
    powers = [0] * fmt.block
    for size in fmt.levels:
        for start in range(0, fmt.block, size):
            for i in range(start, start + size):
                powers[i] += rest & 1
            rest >>= 1
    return scale, powers


def _product(a: float, b: float) -> float | Fraction:
    ordinary = math.isfinite(a) and math.isfinite(b) and a != 0
    return Fraction(a) * Fraction(b) if ordinary else a * b
