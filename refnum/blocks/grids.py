"""The grids of blocks, where scales are powers of two: values need not be scaled.

Rounding x / scale to an element, and multiplying the scale back, is rounding x to the
elements times the scale, if neither product rounds. For a power of two they do not, in
the middle of float32's range.
"""

from __future__ import annotations

from functools import lru_cache
from math import log2
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.rounding import Grid
from refnum.blocks.steps import reciprocal

__all__ = ["NOWHERE", "Grids", "grids_of", "has_powers", "offsets_of"]

Words = npt.NDArray[np.uint32]
Singles = npt.NDArray[np.float32]

NOWHERE = np.uint32(1)  # no difference of two exponents
_ONE = np.uint32(0x3F800000)


class Grids(NamedTuple):
    """The values that blocks can have."""

    smallest: Words
    """The bits of each block's smallest normal value."""
    largest: Words | None
    """Those of its largest, if elements may lie beyond."""


@lru_cache(maxsize=64)
def has_powers(fmt: BlockFormat) -> bool:
    """Whether values are multiplied by 1 / scale, and all scales are powers of two."""
    return (
        fmt.scale.mantissa_bits == 0
        and fmt.rule.arithmetic.factor is reciprocal
        and not fmt.rule.arithmetic.divides
        and fmt.rule.zero_scale_as is None
        and fmt.prescale == 1
        and fmt.tensor_scale is None
        and fmt.convention == "decode"
    )


def grids_of(
    scales: Singles, maxima: Singles, saturates: bool, grid: Grid
) -> Grids | None:
    """Return the grids of blocks; None if a scale is not in the middle of the range.

    Parameters
    ----------
    scales, maxima : ndarray of float32
        Each block's scale and largest magnitude, which is below `grid.limit` scales.
    saturates : bool
        Whether elements may lie beyond the largest value.
    grid : Grid
        The values of elements.
    """
    middle = _middle_of(grid)
    exponents = scales.view(np.uint32) - _ONE  # wraps below 1
    if not _lie_in(middle, exponents):  # blocks of zeros have any finite scale
        no_matter = (maxima == 0) & np.isfinite(scales)
        exponents = np.where(no_matter, _bits(2.0 ** middle[0]) - _ONE, exponents)
        if not _lie_in(middle, exponents):
            return None
    smallest = exponents + _bits(grid.smallest)
    if not saturates:
        return Grids(smallest, None)
    return Grids(smallest, exponents + _bits(grid.largest))


@lru_cache(maxsize=64)
def _middle_of(grid: Grid) -> tuple[int, int]:
    """Return exponents of scales for which nothing is subnormal or overflows.

    From the first on, spacings are normal numbers; up to the last, the addends that
    round values are finite.
    """
    spacing = grid.smallest * 2.0**-grid.mantissa_bits
    first = max(-126, -126 - int(log2(spacing)))
    last = min(126, 126 - 23 - int(log2(grid.limit)))
    return first, last


def _lie_in(middle: tuple[int, int], exponents: Words) -> bool:
    """Whether all do; those of infinity and NaN do not."""
    first, last = middle
    beyond = exponents - (_bits(2.0**first) - _ONE)
    return bool(np.max(beyond) <= (last - first) << 23)


def offsets_of(scales: Singles, grid: Grid) -> Words:
    """Return what to add to the bits of elements, to have them times each scale.

    `NOWHERE` stands for scales that are not in the middle of the range.
    """
    first, last = _middle_of(grid)
    inside = (scales >= 2.0**first) & (scales <= 2.0**last)
    return np.where(inside, scales.view(np.uint32) - _ONE, NOWHERE)


def _bits(x: float) -> np.uint32:
    return np.uint32(np.float32(x).view(np.uint32))
