"""Memory that is used again from call to call.

Fresh pages of memory cost more than a pass over them, so temporaries are kept: per
thread, some arrays of at most 8 MiB each. Larger ones are made anew.

Results cannot be kept, but their memory can. The C library of Linux gives each freed
array of more than 128 KiB back to the system, until it has seen a larger one freed; from
then on it keeps memory up to that size. A training step frees and asks for hundreds of
such arrays, and fresh pages would cost a quarter of its time.

Memory in pages of 2 MiB is quicker to walk than in those of 4 KiB. NumPy asks Linux for
them where an array has 4 MiB or more, and the wish outlives the array.
"""

from __future__ import annotations

import math
import threading
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Buffers", "keep_freed_memory"]

_LIMIT = 8 << 20  # bytes
_LINE = 64  # bytes: of a cache line, and of the widest vectors
_LARGEST_KEPT = 31 << 20  # bytes: glibc learns sizes up to 32 MiB
_HALF_OF_HEAP = 29 << 20  # bytes, twice of which glibc keeps at the top of its heap


@cache
def keep_freed_memory() -> None:
    """Ask for large arrays, 58 MiB at a time, and free them; no page is ever used.

    It happens once, with the first kept array or the import of the gradient engine, and
    concerns the whole process: memory that NumPy frees may stay with it, up to twice
    that size at the top of the heap, and the first such memory has large pages.
    """
    np.empty(_LARGEST_KEPT, np.uint8)
    _heap = [np.empty(_HALF_OF_HEAP, np.uint8) for _ in range(2)]  # both at a time


def _aligned(size: int) -> npt.NDArray[np.uint8]:
    """Return bytes that begin with a cache line, so that no vector is in two of them."""
    room = np.empty(size + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    return room[start : start + size]


class Buffers(threading.local):
    """Named arrays of each thread, whose values last until the name is taken again.

    Examples
    --------
    >>> buffers = Buffers()
    >>> first = buffers.take("total", (2, 3), np.float64)
    >>> second = buffers.take("total", (4,), np.float32)
    >>> np.shares_memory(first, second)
    True
    """

    def __init__(self) -> None:
        self._kept: dict[str, npt.NDArray[np.uint8]] = {}

    def take(
        self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """Return an uninitialised array in C order."""
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        if size > _LIMIT:
            return np.empty(shape, kind)
        kept = self._kept.get(name)
        if kept is None or kept.size < size:
            keep_freed_memory()
            # Powers of two: sizes that grow are not copied again and again.
            kept = _aligned(max(_LINE, 1 << (size - 1).bit_length()))
            self._kept[name] = kept
        return kept[:size].view(kind).reshape(shape)

    def copy(
        self, name: str, x: npt.NDArray[Any], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """Return a stack of matrices in a type, rows or columns as they lay.

        What BLAS can read is returned as it is.
        """
        if x.dtype == dtype and x.itemsize in x.strides[-2:] and 0 not in x.strides:
            return x
        turned = x.strides[-1] > x.strides[-2]
        source = x.swapaxes(-1, -2) if turned else x
        target = self.take(name, source.shape, dtype)
        np.copyto(target, source)
        return target.swapaxes(-1, -2) if turned else target
