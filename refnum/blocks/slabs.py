"""An array as it lies in memory, with its blocks as tiles of neighbouring elements.

A C-ordered array is seen as `count` *slabs* of `size` rows and `inner` columns. A block
is `size` rows by `width` columns of a slab: along the last axis a slab is one long row,
along another axis a block is one column, and a tile is both. Nothing is copied or
transposed, and scales come in the order of the array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from refnum.blocks.geometry import Geometry

__all__ = ["Piece", "Slabs"]

_RUN = 1024  # elements side by side, so that columns are not read one by one


class Piece(NamedTuple):
    """Some elements, and the blocks that they belong to.

    Parameters
    ----------
    elements : tuple of three slices
        Slabs, rows and columns.
    blocks : tuple of two slices
        Slabs, and blocks side by side.
    cut : bool
        Whether blocks go on beyond the piece.
    """

    elements: tuple[slice, slice, slice]
    blocks: tuple[slice, slice]
    cut: bool


@dataclass(frozen=True)
class Slabs:
    """The slabs of one array.

    Parameters
    ----------
    shape : tuple of (int, int, int)
        Slabs, rows of a slab (all of them in one block) and columns.
    width : int
        Columns of a block.
    """

    shape: tuple[int, int, int]
    width: int

    @classmethod
    def of(cls, geometry: Geometry) -> Slabs | None:
        """Return the slabs of an array; None if it is empty or blocks are ragged."""
        shape, axis, (rows, columns) = geometry.shape, geometry.axis, geometry.tile
        if 0 in shape or shape[axis] % columns:
            return None
        if rows == 1:
            before, inner = prod(shape[: axis + 1]), prod(shape[axis + 1 :])
            if inner == 1:
                return cls((1, 1, before), columns)
            return cls((before // columns, columns, inner), 1)
        last = len(shape) - 1
        if axis < last - 1:
            return None
        down, across = (rows, columns) if axis == last else (columns, rows)
        if shape[-2] % down or shape[-1] % across:
            return None
        return cls((prod(shape[:-1]) // down, down, shape[-1]), across)

    @property
    def block_shape(self) -> tuple[int, int]:
        """Slabs, and blocks side by side."""
        count, _, inner = self.shape
        return count, inner // self.width

    def parts(self, elements: int) -> Iterator[Piece]:
        """Yield pieces of whole blocks, of about that many elements."""
        count, size, inner = self.shape
        rows = slice(0, size)
        if size * inner <= elements:
            step = elements // (size * inner)
            for i in range(0, count, step):
                yield self._piece(slice(i, min(i + step, count)), rows, slice(0, inner))
            return
        step = max(self._run, elements // (size * self.width) * self.width)
        for i in range(count):
            for j in range(0, inner, step):
                columns = slice(j, min(j + step, inner))
                yield self._piece(slice(i, i + 1), rows, columns)

    def pieces(self, elements: int) -> Iterator[Piece]:
        """Yield pieces of at most that many elements, or of one row of that many."""
        for part in self.parts(elements):
            slabs, rows, columns = part.elements
            length = columns.stop - columns.start
            if (slabs.stop - slabs.start) * rows.stop * length <= elements:
                yield part
                continue
            wide = min(length, elements)
            high = elements // wide
            for i in range(0, rows.stop, high):
                for j in range(columns.start, columns.stop, wide):
                    some = slice(i, min(i + high, rows.stop))
                    yield self._piece(
                        slabs, some, slice(j, min(j + wide, columns.stop))
                    )

    def inside(self, part: Piece) -> Slabs:
        """Return the slabs of a part's elements alone."""
        slabs, rows, columns = (s.stop - s.start for s in part.elements)
        return Slabs((slabs, rows, columns), self.width)

    @property
    def _run(self) -> int:
        _, _, inner = self.shape
        return min(inner, -(-_RUN // self.width) * self.width)

    def _piece(self, slabs: slice, rows: slice, columns: slice) -> Piece:
        blocks = slice(columns.start // self.width, -(-columns.stop // self.width))
        height, length = rows.stop - rows.start, columns.stop - columns.start
        cut = height < self.shape[1] or length % self.width > 0
        return Piece((slabs, rows, columns), (slabs, blocks), cut)
