"""The grids of blocks, where scales are powers of two: values need not be scaled.

Rounding x / scale to an element, and multiplying the scale back, is rounding x to the
elements times the scale, if neither product rounds. For a power of two they do not, in
the middle of float32's range.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.rounding import Grid
from refnum.blocks.steps import reciprocal

__all__ = ["Grids", "grids_of", "has_powers"]

Words = npt.NDArray[np.uint32]
Singles = npt.NDArray[np.float32]

_ONE = np.uint32(0x3F800000)
_MIDDLE = np.uint32(60 << 23)  # exponents of scales, from -60 to 60


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
        Each block's scale and largest magnitude, which is small beside 2^60 scales.
    saturates : bool
        Whether elements may lie beyond the largest value.
    grid : Grid
        The values of elements.
    """
    exponents = scales.view(np.uint32) - _ONE  # wraps below 1
    if not _in_the_middle(exponents):  # blocks of zeros may have any scale
        exponents = np.where(maxima == 0, np.uint32(0), exponents)
        if not _in_the_middle(exponents):
            return None
    smallest = exponents + np.float32(grid.smallest).view(np.uint32)
    if not saturates:
        return Grids(smallest, None)
    return Grids(smallest, exponents + np.float32(grid.largest).view(np.uint32))


def _in_the_middle(exponents: Words) -> bool:
    """Whether all are; those of infinity and NaN are not."""
    return bool(np.max(exponents + _MIDDLE) <= 2 * _MIDDLE)
