"""A tensor piece by piece, in an order that its memory layout does not change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

__all__ = ["chunks_of"]

_CHUNK = 1 << 15  # elements; what is computed from them stays in L2


def chunks_of(x: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield the elements in C order, a flat chunk at a time, without copying them all."""
    if x.flags.c_contiguous:
        flat = x.reshape(-1)
        yield from (flat[i : i + _CHUNK] for i in range(0, x.size, _CHUNK))
    else:
        for i in range(0, x.size, _CHUNK):
            yield x.flat[i : i + _CHUNK]
