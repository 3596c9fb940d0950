"""The grids of blocks, where scales are powers of two: values need not be scaled.

Rounding x / scale to an element, and multiplying the scale back, is rounding x to the
elements times the scale, if neither product rounds. For a power of two they do not, in
the middle of float32's range.
"""

from __future__ import annotations

from functools import lru_cache
from math import log2

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.rounding import Grid
from refnum.blocks.steps import reciprocal

__all__ = ["NOWHERE", "has_powers", "offsets_of"]

Words = npt.NDArray[np.uint32]
Singles = npt.NDArray[np.float32]

NOWHERE = np.uint32(1)  # no difference of two exponents
_ONE = np.uint32(0x3F800000)


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


def offsets_of(scales: Singles, maxima: Singles, grid: Grid) -> Words:
    """Return what to add to the bits of elements, to have them times each scale.

    `NOWHERE` stands for scales that are not in the middle of the range. Blocks of zeros
    have any finite scale.
    """
    first, last = _middle_of(grid)
    no_matter = (maxima == 0) & np.isfinite(scales)
    scales = np.where(no_matter, np.float32(2.0**first), scales)
    inside = (scales >= 2.0**first) & (scales <= 2.0**last)
    return np.where(inside, scales.view(np.uint32) - _ONE, NOWHERE)


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
