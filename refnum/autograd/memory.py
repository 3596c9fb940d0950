"""Freed memory stays with the process, so that the next step finds it warm.

The C library of Linux gives each freed array of more than 128 KiB back to the system,
until it has seen a larger one freed; from then on it keeps memory up to that size. A
training step frees and asks for hundreds of such arrays, and fresh pages cost a quarter
of its time.
"""

from __future__ import annotations

import numpy as np

__all__ = ["keep_freed_memory"]

_LARGEST_KEPT = 31 << 20  # bytes: glibc learns sizes up to 32 MiB


def keep_freed_memory() -> None:
    """Ask for a large array and free it; no page of it is ever used.

    It happens once, when this room is imported, and concerns the whole process: memory
    that NumPy frees may stay with it, up to twice that size at the top of the heap.
    """
    np.empty(_LARGEST_KEPT, np.uint8)
