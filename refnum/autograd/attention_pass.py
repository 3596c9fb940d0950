"""The arithmetic of attention, forward and backward, a few matrices at a time.

A *piece* is so many of the first leading axis that its scores stay in the cache through
all passes over them. No element's arithmetic depends on that. BLAS multiplies pieces
too; exact products prefer everything at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd.mode import MODE
from refnum.autograd.numerics import product_of, total_of
from refnum.autograd.probabilities import softmax
from refnum.products import Accumulator

__all__ = ["attend", "attend_backward"]

_Mask = npt.NDArray[np.bool_] | None

_PIECE = 1 << 17  # scores


def attend(
    q: Any, k: Any, v: Any, mask: _Mask, scale: float, accumulator: Accumulator | None
) -> tuple[Any, Any]:
    """Return what is mixed and the probabilities."""
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    if mask is not None:
        lead = np.broadcast_shapes(lead, mask.shape[:-2])
    shape = (*lead, q.shape[-2], k.shape[-2])
    if not _has_pieces(q, shape, accumulator):
        return _attend(q, k, v, mask, scale, accumulator)
    probabilities = np.empty(shape, q.dtype)
    out = _like(q, (*lead, q.shape[-2], v.shape[-1]))
    bits = _bits_of(mask, q.dtype)
    for part in _pieces(shape):
        qs, ks, vs = (_of(x, part, len(shape)) for x in (q, k, v))
        scores = probabilities[part]
        np.matmul(qs, np.swapaxes(ks, -1, -2), out=scores)
        scores *= scale
        _hide(scores, bits, part, len(shape))
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= total_of(scores, -1, True)
        np.matmul(scores, vs, out=out[part])
    return out, probabilities


def attend_backward(
    g: Any,
    needs: tuple[bool, bool, bool],
    q: Any,
    k: Any,
    v: Any,
    p: Any,
    out: Any,
    scale: float,
    accumulator: Accumulator | None,
) -> list[Any]:
    """Return the gradients of q, k and v that are needed, before any are summed."""
    if not _has_pieces(q, p.shape, accumulator):
        found = _backward(g, needs, q, k, v, p, scale, accumulator)
        return [part for part, need in zip(found, needs, strict=True) if need]
    lead = p.shape[:-2]
    results = [
        _like(x, (*lead, *x.shape[-2:])) if need else None
        for x, need in zip((q, k, v), needs, strict=True)
    ]
    for part in _pieces(p.shape):
        gs, qs, ks, vs, ps, outs = (_of(x, part, p.ndim) for x in (g, q, k, v, p, out))
        dq, dk, dv = (None if r is None else r[part] for r in results)
        if dv is not None:
            np.matmul(np.swapaxes(ps, -1, -2), gs, out=dv)
        if dq is None and dk is None:
            continue
        ds = np.matmul(gs, np.swapaxes(vs, -1, -2))
        ds -= np.add.reduce(gs * outs, axis=-1, keepdims=True)  # that of g v^T and p
        ds *= ps
        if dq is not None:
            np.matmul(ds, ks * scale, out=dq)
        if dk is not None:
            np.matmul(np.swapaxes(ds, -1, -2), qs * scale, out=dk)
    return [result for result in results if result is not None]


def _attend(
    q: Any, k: Any, v: Any, mask: _Mask, scale: float, accumulator: Accumulator | None
) -> tuple[Any, Any]:
    scores = product_of(q, np.swapaxes(k, -1, -2), accumulator)
    if mask is not None:
        shape = np.broadcast_shapes(scores.shape, mask.shape)
        if shape != scores.shape:
            scores = np.broadcast_to(scores, shape).copy()
    bits = _bits_of(mask, scores.dtype)
    for part in _pieces(scores.shape):
        some = scores[part]
        some *= scale
        _hide(some, bits, part, scores.ndim)
        some[...] = softmax(some)
    return product_of(scores, v, accumulator), scores


def _backward(
    g: Any,
    needs: tuple[bool, bool, bool],
    q: Any,
    k: Any,
    v: Any,
    p: Any,
    scale: float,
    accumulator: Accumulator | None,
) -> tuple[Any, Any, Any]:
    dq = dk = dv = None
    if needs[2]:
        dv = product_of(np.swapaxes(p, -1, -2), g, accumulator)
    if needs[0] or needs[1]:
        ds = _score_gradient(
            product_of(g, np.swapaxes(v, -1, -2), accumulator), p, scale
        )
        if needs[0]:
            dq = product_of(ds, k, accumulator)
        if needs[1]:
            dk = product_of(np.swapaxes(ds, -1, -2), q, accumulator)
    return dq, dk, dv


def _score_gradient(dp: Any, p: Any, scale: float) -> Any:
    """Return ``p * (dp - sum(dp * p)) * scale``, in place where shapes agree."""
    if dp.shape != p.shape:
        return p * (dp - total_of(dp * p, -1, True)) * scale
    for part in _pieces(p.shape):
        some, weights = dp[part], p[part]
        some -= total_of(some * weights, -1, True)
        np.multiply(weights, some, out=some)
        some *= scale
    return dp


def _has_pieces(
    q: Any, shape: tuple[int, ...], accumulator: Accumulator | None
) -> bool:
    """Whether BLAS multiplies, and there is more than one matrix."""
    numerics = MODE.get().numerics
    by_blas = q.dtype != np.float32 or not (
        numerics.portable or accumulator or numerics.accumulator
    )
    return by_blas and len(shape) > 2 and math.prod(shape) > 0


def _bits_of(mask: _Mask, dtype: np.dtype[Any]) -> tuple[Any, Any] | None:
    """Return which bits of scores are kept, and those of -inf where none are.

    Two operations with them take a third of the time of a copy under a mask.
    """
    if mask is None:
        return None
    words = np.dtype(f"u{dtype.itemsize}")
    infinity = np.array(-np.inf, dtype).view(words)
    all_bits = np.iinfo(words).max
    return np.where(mask, words.type(all_bits), 0), np.where(mask, 0, infinity)


def _hide(scores: Any, bits: tuple[Any, Any] | None, part: slice, ndim: int) -> None:
    """Write -inf where a mask hides a piece of scores."""
    if bits is None:
        return
    kept, infinite = (_of(words, part, ndim) for words in bits)
    words = scores.view(kept.dtype)
    words &= kept
    words |= infinite


def _pieces(shape: tuple[int, ...]) -> Iterator[slice]:
    step = max(_PIECE // max(math.prod(shape[1:]), 1), 1)
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


def _of(x: Any, part: slice, ndim: int) -> Any:
    """Return what a piece sees of an array, unless that is broadcast to it."""
    return x if x is None or x.ndim < ndim or x.shape[0] == 1 else x[part]


def _like(x: Any, shape: tuple[int, ...]) -> Any:
    """Return an empty array whose axes lie in memory as those of x do, if it can."""
    if x.ndim != len(shape):
        return np.empty(shape, x.dtype)
    return np.empty_like(x, shape=shape)
