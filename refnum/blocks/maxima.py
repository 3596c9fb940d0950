"""The largest magnitude of every block of an array.

Magnitudes are compared as integers: the order of the bits of nonnegative floats is that
of their values, with NaN above infinity.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers
from refnum.blocks.slabs import Slabs

__all__ = ["block_maxima", "group_maxima", "largest_sizes"]

Words = npt.NDArray[np.uint32]
Singles = npt.NDArray[np.float32]

_MAGNITUDE = np.uint32(0x7FFFFFFF)
_PIECE = 1 << 17  # elements: enough to hide the cost of calls
_BUFFERS = Buffers()


def block_maxima(x: Singles, slabs: Slabs) -> Singles:
    """Return the largest magnitude of each block, NaN where there is one.

    Parameters
    ----------
    x : ndarray of float32, shape `slabs.shape`
        Values; rows are contiguous.
    slabs : Slabs
        Their blocks.

    Returns
    -------
    ndarray of float32, shape `slabs.block_shape`
        Magnitudes.
    """
    bits = x.view(np.uint32)
    out = np.zeros(slabs.block_shape, np.uint32)
    scratch = _BUFFERS.take("scratch", (2, min(_PIECE, x.size)), np.uint32)
    for piece in slabs.pieces(_PIECE):
        some = bits[piece.elements]
        sizes, spare = scratch[:, : some.size]
        sizes = np.bitwise_and(some, _MAGNITUDE, out=sizes.reshape(some.shape))
        found = largest_sizes(sizes, min(slabs.width, some.shape[2]), spare)
        target = out[piece.blocks]
        found = found.reshape(target.shape)
        if piece.cut:
            found = np.maximum(target, found)
        target[...] = found
    return out.view(np.float32)


def largest_sizes(sizes: Words, width: int, scratch: Words) -> Words:
    """Return the largest of all rows and `width` columns of slabs, in their order.

    Parameters
    ----------
    sizes : ndarray of uint32, shape (slabs, rows, columns)
        The bits of magnitudes, contiguous.
    width : int
        Columns of a block, a divisor of their number.
    scratch : ndarray of uint32, shape (elements,)
        Is written to.
    """
    if sizes.shape[1] > 1:
        sizes = np.maximum.reduce(sizes, axis=1)
    return group_maxima(sizes.reshape(-1), width, scratch)


def group_maxima(x: Words, width: int, scratch: Words) -> Words:
    """Return the largest of each `width` neighbours of a contiguous vector.

    Halving doubles the neighbours that each number speaks for. The first time, numbers
    are compared with their next ones all along, which vector instructions do at once;
    every other result is then left out.
    """
    step = 1
    if width % 4 == 0:
        np.maximum(x[:-1], x[1:], out=scratch[: x.size - 1])
        x, width, step = scratch[: x.size], width // 2, 2
    while width % 2 == 0:
        x = np.maximum(x[::step][::2], x[step::step][::2])
        width, step = width // 2, 1
    if width == 1:
        return x
    maxima: Words = np.maximum.reduceat(x[::step], np.arange(0, x.size // step, width))
    return maxima
