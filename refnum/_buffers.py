"""Memory that is used again from call to call.

Fresh pages of memory cost more than a pass over them, so temporaries are kept: per
thread, a few arrays of at most 8 MiB. Larger ones are made anew.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Buffers"]

_LIMIT = 8 << 20  # bytes


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
            # Powers of two: sizes that grow are not copied again and again.
            kept = np.empty(max(64, 1 << (size - 1).bit_length()), np.uint8)
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
