"""Fake quantisation in one walk, where a table knows the grid of each block.

What `passes` does in steps that serve all formats, for those whose scales are powers of
two that the largest magnitude alone decides: its leading bits are looked up, and what
they give is added to the bits of elements. Magnitudes are computed once, for the
largest and for rounding.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers
from refnum.blocks.block_format import BlockFormat
from refnum.blocks.encoder import spread
from refnum.blocks.grids import NOWHERE, has_powers, offsets_of
from refnum.blocks.laid import Laid
from refnum.blocks.maxima import largest_sizes
from refnum.blocks.rounding import grid_of, round_sizes
from refnum.blocks.scale_table import has_table, scale_index, scale_table

__all__ = ["round_on_known_grids"]

Singles = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]

_MAGNITUDE = np.uint32(0x7FFFFFFF)
_PART = 1 << 18  # elements: enough to hide the cost of calls
_LEAST = 1 << 13  # elements, for which a look-up is worth its table
_BUFFERS = Buffers()


def round_on_known_grids(laid: Laid, fmt: BlockFormat) -> Singles | None:
    """Return what `round_slabs` does; None where there is no table, or it is no use."""
    slabs, first = laid.slabs, fmt.rule.mantissa_first
    if laid.values.size < _LEAST or not _is_known(fmt, first):
        return None
    grid = grid_of(fmt.element, fmt.element_cast)
    assert grid is not None
    offsets = _offsets(fmt, first)
    smallest, largest = (
        np.float32(value).view(np.uint32) for value in (grid.smallest, grid.largest)
    )
    out = np.empty(slabs.shape, np.float32)
    for part in slabs.parts(_PART):
        x, inside = laid.values[part.elements], slabs.inside(part)
        sizes = _BUFFERS.take("sizes", x.shape, np.uint32)
        np.bitwise_and(x.view(np.uint32), _MAGNITUDE, out=sizes)
        scratch = _BUFFERS.take("scratch", (x.size,), np.uint32)
        maxima = largest_sizes(sizes, slabs.width, scratch)
        found = offsets.take(scale_index(maxima), mode="wrap")
        if (found == NOWHERE).any():
            return None
        found = found.reshape(inside.block_shape)
        (whole,) = inside.parts(x.size)
        low = spread(found + smallest, whole, slabs.width)
        high = low + (largest - smallest)
        round_sizes(x, sizes, low, high, grid.mantissa_bits, out[part.elements])
    return out


@lru_cache(maxsize=64, typed=True)
def _is_known(fmt: BlockFormat, first: bool | int) -> bool:
    """Whether the table of scales is that of grids too."""
    return (
        isinstance(fmt.block, int)
        and fmt.rule.amax_floor == 0
        and has_powers(fmt)
        and has_table(fmt, first)
        and grid_of(fmt.element, fmt.element_cast) is not None
    )


@lru_cache(maxsize=16, typed=True)
def _offsets(fmt: BlockFormat, first: bool | int) -> Words:
    """Return the offset at every index; blocks of zeros may have any."""
    grid = grid_of(fmt.element, fmt.element_cast)
    assert grid is not None
    _, scales, _ = scale_table(fmt, first)
    offsets = offsets_of(scales, grid)
    if np.isfinite(scales[0]):
        offsets[0] = offsets[offsets != NOWHERE][0]
    return offsets
