"""Products with a matrix of signs, summed in index order: by BLAS where that agrees.

A sum of float32 in index order starts from +0 and rounds after each term. Terms are
``x * +1`` or ``x * -1``, exact, so that a fused multiplication and addition rounds alike.

Many kernels of a BLAS add in this order, but none promises to. Hence all products have
one shape, for which BLAS is asked once whether it gives the bits of the definition, on
numbers that any other order rounds differently. Where it does not, the definition is
computed as it stands.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers

__all__ = ["add_in_order", "product_in_order"]

Singles = npt.NDArray[np.float32]

_ELEMENTS = 1 << 14  # of one product: in and out stay in L2
_SPREAD = 24  # binades of the numbers that an order is told by
_BUFFERS = Buffers()
_Step = tuple[int, int, np.ufunc]


def product_in_order(x: Singles, signs: Singles, out: Singles) -> None:
    """Write ``x @ signs`` to `out`, terms added in index order.

    Parameters
    ----------
    x, out : ndarray of float32, shape (rows, size)
        Contiguous; they do not overlap.
    signs : ndarray of float32, shape (size, size)
        +1 and -1; `size` is a power of two.
    """
    size = len(signs)
    if not _blas_adds_in_order(size):
        add_in_order(x, signs, out)
        return
    rows = _ELEMENTS // size
    whole = len(x) - len(x) % rows
    for i in range(0, whole, rows):
        np.matmul(x[i : i + rows], signs, out=out[i : i + rows])
    if whole < len(x):  # fill up with whatever the buffer holds: rows do not mix
        padded, sums = _BUFFERS.take("padded", (2, rows, size), np.float32)
        padded[: len(x) - whole] = x[whole:]
        np.matmul(padded, signs, out=sums)
        out[whole:] = sums[: len(x) - whole]


def add_in_order(x: Singles, signs: Singles, out: Singles) -> None:
    """Write ``x @ signs`` to `out` by additions in index order, for all rows at once.

    Columns of signs that begin alike share their sums until they part.
    """
    terms = _BUFFERS.take("terms", (len(signs), len(x)), np.float32)
    np.copyto(terms, x.T)
    sums = _BUFFERS.take("sums", terms.shape, np.float32)
    for k, steps in enumerate(_steps(signs.tobytes(), len(signs))):
        for before, after, apply in steps:
            apply(sums[before] if k else np.float32(0), terms[k], out=sums[after])
    out[...] = sums.T


@lru_cache(maxsize=16)
def _steps(signs: bytes, size: int) -> list[list[_Step]]:
    """Return, term by term, which sums are made: from which, to which, and how.

    The first column of those that begin alike has their sum.
    """
    columns = np.frombuffer(signs, np.float32).reshape(size, size).T.tolist()
    before, steps = [0] * size, list[list[_Step]]()
    for k in range(size):
        starts = [tuple(column[: k + 1]) for column in columns]
        after = [starts.index(start) for start in starts]
        made: list[_Step] = [
            (before[j], j, np.add if columns[j][k] > 0 else np.subtract)
            for j in sorted(set(after))
        ]
        made.sort(key=lambda step: step[0] == step[1])  # others read before it changes
        steps.append(made)
        before = after
    return steps


@lru_cache
def _blas_adds_in_order(size: int) -> bool:
    """Whether a product of the one shape has the bits of the definition."""
    rows = _ELEMENTS // size
    random = np.random.Generator(np.random.Philox(0))
    exponents = random.integers(-_SPREAD, 0, (rows, size))
    x = np.ldexp(random.standard_normal((rows, size), np.float32), exponents)
    x[::8] = np.ldexp(x[::8], -140)  # subnormals, which some kernels flush
    x[1::8] = -0.0
    index = np.arange(size)
    parity = np.bitwise_count(index[:, np.newaxis] & (index + 1)) & 1
    signs = np.where(parity, np.float32(-1), np.float32(1))
    got, expected = np.empty_like(x), np.empty_like(x)
    np.matmul(x, signs, out=got)
    add_in_order(x, signs, expected)
    return np.array_equal(got.view(np.uint32), expected.view(np.uint32))
