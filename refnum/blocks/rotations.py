"""One chunk of runs rotated, in each of the arithmetics that a rotation may have."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from refnum.blocks.in_order import product_in_order
from refnum.blocks.sylvester import (
    Span,
    butterflies,
    butterflies_of_runs,
    rotate_carefully,
    rotate_fast,
    round_significand,
    span_of,
    swap_runs,
    sylvester,
)
from refnum.formats import FP32, Format, round_to

__all__ = ["ARITHMETICS", "Flips", "Way"]

Singles = npt.NDArray[np.float32]
Flips = tuple[Singles | None, bool]
"""The signs, and whether they come first."""

_EXACT_CHUNK = 1 << 16  # elements at a time: enough to hide the cost of calls
_BUTTERFLY_CHUNK = 1 << 18  # of float32, in columns long enough
_SEQUENTIAL_CHUNK = 1 << 18  # for many rows, where sums are made by additions
_WIDEST_RUN = 32  # elements that are laid in columns; more would fight for the cache
_WIDEST_SUM = 32  # terms in index order; butterflies join longer runs
_HALVINGS = 5  # of the smallest sum, at most: 1 / sqrt(1024)


class Way(NamedTuple):
    """How runs are rotated."""

    rotate: Callable[[npt.NDArray[Any], Flips, Any, Format | None, Singles], None]
    """From a chunk, shape (runs, size), and two buffers like it, to the results."""
    precision: type[np.floating[Any]]
    """The type of the buffers."""
    chunk: int
    """Elements at a time."""


def _rotate_exact(
    chunk: npt.NDArray[Any],
    flips: Flips,
    buffers: npt.NDArray[Any],
    target: Format | None,
    out: npt.NDArray[np.float32],
) -> None:
    """Write the rotations of `chunk`, shape (runs, size), to `out`."""
    signs, signs_first = flips
    span = span_of(chunk, buffers[1].view(np.uint8).reshape(-1)[: chunk.nbytes])
    x, spare = _flipped(chunk, flips, buffers)
    fast = rotate_fast(x, spare, span) if span else None
    values: npt.NDArray[np.floating[Any]]  # (outer, runs, inner)
    values = rotate_carefully(x)[np.newaxis] if fast is None else fast
    if signs is not None and not signs_first:
        values *= signs.reshape(len(values), 1, -1)
        values += 0.0  # sums of zero stay +0
    if target is not None:
        if target.exponent_bits == 8 and target.infinity and _is_normal(span):
            round_significand(np.asarray(values, np.float64), target.mantissa_bits + 1)
        else:
            values = round_to(values, target)
    _write(values, out)


def _flipped(
    chunk: npt.NDArray[Any], flips: Flips, buffers: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Copy a chunk to the first buffer, by its signs if they come first; return both."""
    x, spare = buffers
    signs, signs_first = flips
    np.copyto(x, chunk, casting="same_kind")
    if signs is not None and signs_first:
        x *= signs
    return x, spare


def _is_normal(span: Span | None) -> bool:
    """Whether no result is subnormal in a format of float32's exponents."""
    return span is not None and span.bottom - _HALVINGS >= FP32.emin


def _rotate_butterfly(
    chunk: npt.NDArray[Any],
    flips: Flips,
    buffers: Singles,
    target: Format | None,
    out: Singles,
) -> None:
    """Write the rotations of `chunk`, shape (runs, size), to `out`."""
    signs, signs_first = flips
    size = chunk.shape[1]
    parts = -1, min(size, _WIDEST_RUN)
    x = _as_singles(chunk, signs if signs_first else None, buffers)
    butterflies_of_runs(
        x.reshape(parts), buffers.reshape(2, *parts), out.reshape(parts)
    )
    _join_parts(out, parts[1], buffers)
    if signs is not None and not signs_first:
        out *= signs
    out *= _root(size)
    _finish(out, target)


def _rotate_sequential(
    chunk: npt.NDArray[Any],
    flips: Flips,
    buffers: Singles,
    target: Format | None,
    out: Singles,
) -> None:
    """Write the rotations of `chunk`, shape (runs, size), to `out`."""
    signs, signs_first = flips
    size = chunk.shape[1]
    if size <= _WIDEST_SUM:
        x = _as_singles(chunk, None, buffers)
        product_in_order(x, _signed_matrix(size, flips), out)
    else:
        parts = -1, _WIDEST_SUM
        x = _as_singles(chunk, signs if signs_first else None, buffers)
        product_in_order(x.reshape(parts), _matrix(parts[1]), out.reshape(parts))
        _join_parts(out, parts[1], buffers)
        if signs is not None and not signs_first:
            out *= signs
            out += np.float32(0)  # sums of zero stay +0
    out *= _root(size)
    _finish(out, target)


def _as_singles(
    chunk: npt.NDArray[Any], signs: Singles | None, buffers: Singles
) -> Singles:
    """Return a chunk as contiguous float32, flipped by signs: in the first buffer."""
    if signs is None and chunk.dtype == np.float32 and chunk.flags.c_contiguous:
        return chunk
    return _flipped(chunk, (signs, True), buffers)[0]


def _join_parts(out: Singles, width: int, buffers: Singles) -> None:
    """Finish runs of which each part of that width has its sums: butterflies join them."""
    runs, size = out.shape
    if size == width:
        return
    parts = runs, size // width, width
    x, _ = swap_runs(out.reshape(parts), buffers[0].reshape(parts))
    sums, _ = butterflies(x, buffers[1].reshape(x.shape))
    _write(sums, out)


def _signed_matrix(size: int, flips: Flips) -> Singles:
    """Return H with its rows or columns flipped: as good as elements or sums flipped."""
    signs, signs_first = flips
    if signs is None:
        return _matrix(size)
    return _matrix(size) * (signs[:, np.newaxis] if signs_first else signs)


@lru_cache
def _matrix(size: int) -> Singles:
    return sylvester(size).astype(np.float32)


def _root(size: int) -> np.float32:
    return np.float32(1 / sqrt(size))


def _finish(out: Singles, target: Format | None) -> None:
    """Round results, and give them the one NaN that all machines have."""
    if target is not None:
        out[...] = round_to(out, target)
    if np.isnan(np.max(out)):
        out[np.isnan(out)] = np.nan


def _write(x: npt.NDArray[Any], out: npt.NDArray[np.float32]) -> None:
    """Copy values (outer, runs, inner), each run in pieces, to (runs, size)."""
    outer, runs, inner = x.shape
    if 1 in (outer, runs):
        np.copyto(out, x.reshape(out.shape), casting="same_kind")
    else:
        narrow = x.astype(np.float32, copy=False)
        swap_runs(narrow, out.reshape(runs, outer, inner))


ARITHMETICS = {
    "exact": Way(_rotate_exact, np.float64, _EXACT_CHUNK),
    "butterfly": Way(_rotate_butterfly, np.float32, _BUTTERFLY_CHUNK),
    "sequential": Way(_rotate_sequential, np.float32, _SEQUENTIAL_CHUNK),
}
"""By the names that a user gives."""
