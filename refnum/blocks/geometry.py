"""How an array is cut into blocks, and put together again.

A *block view* has shape (blocks, elements): every block is a contiguous row, whatever
the axis and the tile. Along the blocked axis the last block may be ragged: it is
filled with zeros, row by row, and never runs on into the next row.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat

__all__ = ["Geometry"]

_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Geometry:
    """The blocks of one array.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    axis : int
        The blocked axis, not negative.
    tile : tuple of (int, int)
        Block size along the axis before the blocked one and along the blocked one.
    """

    shape: tuple[int, ...]
    axis: int
    tile: tuple[int, int]

    @classmethod
    def of(
        cls, shape: tuple[int, ...], axis: SupportsIndex, fmt: BlockFormat
    ) -> Geometry:
        """Return the blocks of `fmt` in an array of that shape.

        Raises
        ------
        TypeError
            If the axis is no integer.
        ValueError
            If the axis does not exist, or a tile needs a second one.
        """
        try:
            axis = operator.index(axis)
        except TypeError:
            raise TypeError(f"axis must be an integer, not {axis!r}") from None
        if not shape:
            raise ValueError("a scalar has no axis to block; one dimension is needed")
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"axis {axis} does not exist in an array of shape {shape}")
        axis %= len(shape)
        if fmt.block == "tensor":
            return cls((int(np.prod(shape)),), 0, (1, max(int(np.prod(shape)), 1)))
        if fmt.block == "row":
            return cls(shape, axis, (1, max(shape[axis], 1)))
        if isinstance(fmt.block, tuple):
            if len(shape) < 2:
                raise ValueError(f"a tile {fmt.block} needs an array of two dimensions")
            return cls(shape, axis, fmt.block)
        assert isinstance(fmt.block, int)
        return cls(shape, axis, (1, fmt.block))

    @property
    def _moved(self) -> tuple[int, ...]:
        """The shape with the blocked axis last."""
        rest = self.shape[: self.axis] + self.shape[self.axis + 1 :]
        return (*rest, self.shape[self.axis])

    @property
    def _tiled(self) -> tuple[int, ...]:
        """(batches, row tiles, rows, column tiles, columns), padding included."""
        *rest, length = self._moved
        rows, columns = self.tile
        if rows == 1:
            count = int(np.prod(rest, dtype=np.int64))
            return (1, count, 1, -(-length // columns), columns)
        batches = int(np.prod(rest[:-1], dtype=np.int64))
        return (batches, -(-rest[-1] // rows), rows, -(-length // columns), columns)

    @property
    def _bare(self) -> tuple[int, int, int]:
        """(batches, rows, columns) without padding."""
        batches, row_tiles, rows, _, _ = self._tiled
        *rest, length = self._moved
        return (batches, rest[-1] if rows > 1 else row_tiles, length)

    @property
    def size(self) -> int:
        """Elements of a block."""
        return self.tile[0] * self.tile[1]

    @property
    def blocks_per_row(self) -> int:
        """Blocks along the blocked axis."""
        return self._tiled[3]

    @property
    def scale_shape(self) -> tuple[int, ...]:
        """Shape of the scales: the array's, with the blocked axes divided."""
        *rest, length = self._moved
        if self.tile[0] > 1:
            rest[-1] = -(-rest[-1] // self.tile[0])
        return self._unmove((*rest, -(-length // self.tile[1])))

    def to_blocks(self, x: _Array) -> _Array:
        """Return the block view of an array: a view where memory order allows."""
        moved = np.moveaxis(x.reshape(self.shape), self.axis, -1)
        batches, row_tiles, rows, column_tiles, columns = self._tiled
        height, length = row_tiles * rows, column_tiles * columns
        flat: _Array = moved.reshape(self._bare)
        if flat.shape != (batches, height, length):
            padded = np.zeros((batches, height, length), x.dtype)
            padded[:, : flat.shape[1], : flat.shape[2]] = flat
            flat = padded
        tiles = flat.reshape(self._tiled)
        count = batches * row_tiles * column_tiles
        return np.swapaxes(tiles, 2, 3).reshape(count, self.size)

    def from_blocks(self, blocks: _Array) -> _Array:
        """Return the array of a block view, without the padding."""
        batches, row_tiles, rows, column_tiles, columns = self._tiled
        shape = (batches, row_tiles, column_tiles, rows, columns)
        flat: _Array = np.swapaxes(blocks.reshape(shape), 2, 3)
        flat = flat.reshape(batches, row_tiles * rows, column_tiles * columns)
        _, height, length = self._bare
        moved = flat[:, :height, :length].reshape(self._moved)
        return np.ascontiguousarray(np.moveaxis(moved, -1, self.axis))

    def scales_to_blocks(self, scales: _Array) -> _Array:
        """Return scales, one for each row of the block view."""
        moved = scales.reshape(self.scale_shape)
        return np.moveaxis(moved, self.axis, -1).reshape(-1)

    def scales_from_blocks(self, scales: _Array) -> _Array:
        """Return scales in `scale_shape` from one for each row of the block view."""
        shape = self.scale_shape
        moved = (*shape[: self.axis], *shape[self.axis + 1 :], shape[self.axis])
        return np.ascontiguousarray(np.moveaxis(scales.reshape(moved), -1, self.axis))

    def _unmove(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        rest, last = list(shape[:-1]), shape[-1]
        rest.insert(self.axis, last)
        return tuple(rest)
