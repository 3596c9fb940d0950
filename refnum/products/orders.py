"""float32 products in fixed orders: what a plain loop computes, on every machine.

They use no BLAS. Each function takes float32 matrices of shapes (M, K) and (K, N) and
returns float32, and so does the definition that it is tested against: a loop over k
of single operations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from refnum.products.rounding import fma

__all__ = ["fma_chain_product", "pairwise_product", "sequential_product"]

_Single = npt.NDArray[np.float32]
_TILE = 256


def sequential_product(a: _Single, b: _Single) -> _Single:
    """Return ``((0 + a0 b0) + a1 b1) + ...``, every operation rounded."""
    return _by_tiles(a, b, _sequential)


def pairwise_product(a: _Single, b: _Single) -> _Single:
    """Return the sum of rounded products in a binary tree.

    A sum of n terms is that of its first 2**m, the largest power of two below n, plus
    that of the rest.
    """
    return _by_tiles(a, b, _pairwise)


def fma_chain_product(a: _Single, b: _Single) -> _Single:
    """Return ``fma(a1, b1, fma(a0, b0, 0))...`` in the order of k."""
    return _by_tiles(a, b, _fma_chain)


def _by_tiles(
    a: _Single, b: _Single, order: Callable[[_Single, _Single], _Single]
) -> _Single:
    out = np.zeros((a.shape[0], b.shape[1]), np.float32)
    with np.errstate(all="ignore"):
        for down in range(0, a.shape[0], _TILE):
            left = np.ascontiguousarray(a[down : down + _TILE].T)
            for across in range(0, b.shape[1], _TILE):
                right = b[:, across : across + _TILE]
                tile = order(left, right)
                out[down : down + _TILE, across : across + _TILE] = tile
    out[np.isnan(out)] = np.nan  # one NaN, whatever the processor made of it
    return out


def _sequential(a: _Single, b: _Single) -> _Single:
    """Sum columns of A, given as rows, times rows of B."""
    total = np.zeros((a.shape[1], b.shape[1]), np.float32)
    product = np.empty_like(total)
    for x, y in zip(a, b, strict=True):
        np.multiply(x[:, None], y, out=product)
        total += product
    return total


def _pairwise(a: _Single, b: _Single) -> _Single:
    """Merge sums of equal length as they come up, like carries of a counter."""
    waiting: list[tuple[int, _Single]] = []
    for x, y in zip(a, b, strict=True):
        length = 1
        total: _Single = x[:, None] * y
        while waiting and waiting[-1][0] == length:
            total = waiting.pop()[1] + total
            length *= 2
        waiting.append((length, total))
    if not waiting:
        return np.zeros((a.shape[1], b.shape[1]), np.float32)
    total = waiting.pop()[1]
    while waiting:
        total = waiting.pop()[1] + total
    return total


def _fma_chain(a: _Single, b: _Single) -> _Single:
    """Add products in float64, and round to odd where the second rounding could show.

    A float64 sum rounds to float32 like the exact one unless it sits on the middle
    between two neighbours, which its low bits tell, or below the normal range.
    """
    total = np.zeros((a.shape[1], b.shape[1]), np.float32)
    wide, product = np.empty(total.shape), np.empty(total.shape)
    low = np.empty(total.shape, np.int64)
    for x, y in zip(a.astype(np.float64), b.astype(np.float64), strict=True):
        np.multiply(x[:, None], y, out=product)
        np.add(product, total, out=wide)
        np.bitwise_and(wide.view(np.int64), (1 << 29) - 1, out=low)
        suspect = (low == 1 << 28) | (np.abs(wide) < 2.0**-125)
        at = np.nonzero(suspect)
        careful = fma(x[at[0]], y[at[1]], total[at].astype(np.float64))
        np.copyto(total, wide, casting="unsafe")
        total[at] = careful
    return total
