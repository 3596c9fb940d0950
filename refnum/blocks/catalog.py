"""Block formats by their names."""

from __future__ import annotations

import difflib

from refnum.blocks import chosen, presets
from refnum.blocks.block_format import BlockFormat
from refnum.blocks.choice import ChosenFormat
from refnum.blocks.eden import MXFP4_EDEN, NVFP4_EDEN

__all__ = ["block_format", "names"]

_ALL = [getattr(room, name) for room in (presets, chosen) for name in room.__all__]
_ALL += [MXFP4_EDEN, NVFP4_EDEN]
_BY_NAME: dict[str, BlockFormat | ChosenFormat] = {
    fmt.name: fmt for fmt in _ALL if isinstance(fmt, BlockFormat | ChosenFormat)
}


def names() -> tuple[str, ...]:
    """Return the names of the block formats, sorted.

    Examples
    --------
    >>> import refnum as rn
    >>> "nvfp4" in rn.blocks.names()
    True
    """
    return tuple(sorted(_BY_NAME))


def block_format(
    name: str | BlockFormat | ChosenFormat,
) -> BlockFormat | ChosenFormat:
    """Return the block format of that name; a record is returned as is.

    Raises
    ------
    ValueError
        If there is none; the message lists near names.
    TypeError
        If `name` is neither a string nor a block format.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.blocks.block_format("mxfp4") is rn.MXFP4
    True
    """
    if isinstance(name, BlockFormat | ChosenFormat):
        return name
    if not isinstance(name, str):
        raise TypeError(f"a block format is named by a string, not {name!r}")
    key = name.lower().replace("-", "_")
    if key in _BY_NAME:
        return _BY_NAME[key]
    near = difflib.get_close_matches(key, _BY_NAME, n=5, cutoff=0.4)
    raise ValueError(
        f"unknown block format {name!r}; near names: {', '.join(near or names())}"
    )
