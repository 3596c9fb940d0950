"""Fake quantisation in one walk, where scales are powers of two.

Values need not be scaled then: each is rounded on the grid of its block. The largest
magnitude decides the scale, and magnitudes are computed once, for that and for
rounding. Where a table knows the scale, it is not computed either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers
from refnum.blocks.block_format import BlockFormat
from refnum.blocks.grids import NOWHERE, has_powers, offsets_of
from refnum.blocks.laid import Laid
from refnum.blocks.maxima import largest_sizes
from refnum.blocks.rounding import Grid, grid_of, round_sizes
from refnum.blocks.scale_table import has_table, scale_index, scale_table
from refnum.blocks.scaling import compute_scales
from refnum.blocks.slabs import Slabs

__all__ = ["round_on_grids_of_blocks"]

Singles = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]

_MAGNITUDE = np.uint32(0x7FFFFFFF)
_PART = 1 << 18  # elements: enough to hide the cost of calls
_LEAST = 1 << 8  # blocks, for which a look-up is worth its table
_BUFFERS = Buffers()


@dataclass(frozen=True)
class _Plan:
    """What all arrays of a format have in common.

    Parameters
    ----------
    grid : Grid
        That of a block whose scale is one.
    smallest, reach : np.uint32
        The bits of the grid's smallest normal value, and by how much those of its
        largest are more.
    table : ndarray of uint32, optional
        What to add to the bits of the grid, by the index of a block's largest magnitude.
    """

    grid: Grid
    smallest: np.uint32
    reach: np.uint32
    table: Words | None


def round_on_grids_of_blocks(laid: Laid, fmt: BlockFormat) -> Singles | None:
    """Return what `round_slabs` does; None where not all blocks have such grids."""
    plan = _plan_of(fmt, fmt.rule.mantissa_first)
    if plan is None:
        return None
    slabs = laid.slabs
    out = np.empty(slabs.shape, np.float32)
    for part in slabs.parts(_PART):
        x, inside = laid.values[part.elements], slabs.inside(part)
        sizes = _BUFFERS.take("sizes", x.shape, np.uint32)
        np.bitwise_and(x.view(np.uint32), _MAGNITUDE, out=sizes)
        scratch = _BUFFERS.take("scratch", (x.size,), np.uint32)
        maxima = largest_sizes(sizes, slabs.width, scratch)
        offsets = _offsets(maxima, laid.reference, fmt, plan)
        if (offsets == NOWHERE).any():
            return None
        offsets += plan.smallest
        low = _for_columns(offsets, inside)
        high = _BUFFERS.take("high", low.shape, np.uint32)
        np.add(low, plan.reach, out=high)
        round_sizes(x, sizes, low, high, plan.grid.mantissa_bits, out[part.elements])
    return out


def _for_columns(blocks: Words, slabs: Slabs) -> Words:
    """Return what belongs to blocks for each column, in a shape that rows broadcast."""
    count, _, columns = slabs.shape
    each = np.repeat(blocks, slabs.width) if slabs.width > 1 else blocks
    return each.reshape(count, 1, columns)


def _offsets(maxima: Words, reference: Singles, fmt: BlockFormat, plan: _Plan) -> Words:
    """Return what to add to the bits of elements in each block."""
    if maxima.size >= _LEAST and plan.table is not None:
        return plan.table.take(scale_index(maxima), mode="wrap")
    largest, floor = maxima.reshape(-1).view(np.float32), fmt.rule.amax_floor
    statistic = np.maximum(largest, np.float32(floor)) if floor else largest
    scales = compute_scales(statistic, reference, fmt).decoded
    return offsets_of(scales, largest, plan.grid)


@lru_cache(maxsize=64, typed=True)
def _plan_of(fmt: BlockFormat, first: bool | int) -> _Plan | None:
    """Return the plan of a format, None where blocks have no such grids.

    `first`, the rule's, counts as it is: True and 1 are equal, but not the same.
    """
    grid = grid_of(fmt.element, fmt.element_cast)
    if grid is None or not isinstance(fmt.block, int) or not has_powers(fmt):
        return None
    smallest, largest = (
        np.float32(value).view(np.uint32) for value in (grid.smallest, grid.largest)
    )
    table = None
    if has_table(fmt, first) and not fmt.rule.amax_floor:
        _, scales, _ = scale_table(fmt, first)
        magnitudes = np.ones(scales.shape, np.float32)
        magnitudes[0] = 0  # the first index is that of zero
        table = offsets_of(scales, magnitudes, grid)
    return _Plan(grid, smallest, largest - smallest, table)
