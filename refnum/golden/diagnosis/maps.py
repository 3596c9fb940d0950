"""A small picture of where a tensor differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Map", "draw", "ranges"]

_Mask = npt.NDArray[np.bool_]

_ROWS, _COLUMNS = 16, 64
_RUNS = 8  # runs of numbers that a text holds


@dataclass(frozen=True)
class Map:
    """Where one output differs.

    Parameters
    ----------
    output : str
        Its name.
    shape : tuple of int
        Rows and columns; leading axes count as rows.
    rows, columns : str
        The ones that hold a difference: ``"0-3, 7"``.
    blocks : str
        The blocks of the last axis that hold one; empty without blocks.
    lines : tuple of str
        The picture: ``.`` equal, ``+`` some differ, ``#`` all differ.
    """

    output: str
    shape: tuple[int, int]
    rows: str
    columns: str
    blocks: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        rows, columns = self.shape
        head = f"{self.output}: rows {self.rows} of {rows}"
        head += f", columns {self.columns} of {columns}"
        if self.blocks:
            head += f", blocks {self.blocks} of a row"
        picture = "\n".join(f"  {line}" for line in self.lines)
        return f"{head}\n{picture}"


def draw(output: str, wrong: _Mask, shape: tuple[int, ...], block: int = 0) -> Map:
    """Return the map of an output.

    Parameters
    ----------
    output : str
        Its name.
    wrong : ndarray of bool
        Which elements differ, in C order.
    shape : tuple of int
        Shape of the output.
    block : int
        Elements of the last axis that share a scale; 0 without blocks.

    Examples
    --------
    >>> import numpy as np
    >>> print(draw("codes", np.eye(2, 4, dtype=bool), (2, 4), block=2))
    codes: rows 0-1 of 2, columns 0-1 of 4, blocks 0 of a row
      #...
      .#..
    """
    columns = shape[-1] if shape else 1
    grid = wrong.reshape(-1, max(columns, 1))
    down, across = grid.any(axis=1), grid.any(axis=0)
    blocks = ""
    if block and columns > block:
        blocks = ranges(np.unique(np.flatnonzero(across) // block))
    return Map(
        output,
        (grid.shape[0], grid.shape[1]),
        ranges(np.flatnonzero(down)),
        ranges(np.flatnonzero(across)),
        blocks,
        _picture(grid),
    )


def ranges(numbers: npt.NDArray[np.intp]) -> str:
    """Return increasing numbers as text, runs joined.

    Examples
    --------
    >>> import numpy as np
    >>> ranges(np.array([0, 1, 2, 7, 9]))
    '0-2, 7, 9'
    """
    if not numbers.size:
        return "none"
    cuts = np.flatnonzero(np.diff(numbers) != 1) + 1
    runs = [(run[0], run[-1]) for run in np.split(numbers, cuts)]
    texts = [f"{a}" if a == b else f"{a}-{b}" for a, b in runs[:_RUNS]]
    more = len(runs) - _RUNS
    return ", ".join(texts) + (f", and {more} more runs" if more > 0 else "")


def _picture(grid: _Mask) -> tuple[str, ...]:
    rows = _cuts(grid.shape[0], _ROWS)
    columns = _cuts(grid.shape[1], _COLUMNS)
    return tuple(
        "".join(_sign(grid[top:bottom, left:right]) for left, right in columns)
        for top, bottom in rows
    )


def _cuts(length: int, most: int) -> list[tuple[int, int]]:
    step = -(-length // most)
    return [(start, min(start + step, length)) for start in range(0, length, step)]


def _sign(cell: _Mask) -> str:
    if cell.all():
        return "#"
    return "+" if cell.any() else "."
