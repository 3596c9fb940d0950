"""GELU by tanh and SiLU: one pass computes the results and the slopes.

The gradient is then one product, without another function of the arguments. A pass
goes over a *piece* at a time, whose buffers stay in the cache. Portable results are
those of `refnum.elementary`; portable slopes are computed in float64 from the same tanh
or sigmoid, which is rounded to float32, and rounded once. The usual ones are computed
in the type of the argument.

Slopes: with e = tanh(u) and u = sqrt(2/pi) (x + 0.044715 x^3), that of GELU is
``(1 + e) / 2 + x (1 - e^2) u' / 2``; with s = sigmoid(x), that of SiLU is
``s + x s (1 - s)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd.mode import MODE

__all__ = ["gelu_tanh_pass", "silu_pass"]

_Array = npt.NDArray[np.floating[Any]]
_Pass = Callable[[_Array, _Array, _Array | None], None]

_PIECE = 1 << 15  # elements
_ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)
_CUBIC = 0.044715
_FLAT = 1e30  # a square beyond which the slope is 0 or 1


def gelu_tanh_pass(x: Any) -> tuple[Any, Any]:
    """Return GELU and its slopes, None where nothing is recorded."""
    return _in_pieces(x, _gelu, _portable_gelu)


def silu_pass(x: Any) -> tuple[Any, Any]:
    """Return SiLU and its slopes, None where nothing is recorded."""
    return _in_pieces(x, _silu, _portable_silu)


def _in_pieces(x: Any, usual: _Pass, portable: _Pass) -> tuple[Any, Any]:
    mode = MODE.get()
    chosen = portable if mode.numerics.portable and x.dtype == np.float32 else usual
    flat = np.ascontiguousarray(x).reshape(-1)
    out = np.empty(x.shape, x.dtype)
    slope = np.empty(x.shape, x.dtype) if mode.recording else None
    outs = out.reshape(-1)
    slopes = None if slope is None else slope.reshape(-1)
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, _PIECE):
            part = slice(start, start + _PIECE)
            chosen(flat[part], outs[part], None if slopes is None else slopes[part])
    return out, slope


def _gelu(x: _Array, out: _Array, slope: _Array | None) -> None:
    square = x * x
    e = square * (_CUBIC * _ROOT_TWO_OVER_PI)
    e += _ROOT_TWO_OVER_PI
    e *= x
    np.tanh(e, out=e)
    below = e + 1
    below *= 0.5
    np.multiply(below, x, out=out)
    if slope is not None:
        e *= e
        np.subtract(1, e, out=e)
        e *= x
        if not square.max() <= _FLAT:  # 0 times an infinite square would be NaN
            np.minimum(square, _FLAT, out=square)
        square *= 1.5 * _CUBIC * _ROOT_TWO_OVER_PI
        square += 0.5 * _ROOT_TWO_OVER_PI
        e *= square
        np.add(below, e, out=slope)


def _silu(x: _Array, out: _Array, slope: _Array | None) -> None:
    s = np.abs(x)
    np.negative(s, out=s)
    np.exp(s, out=s)
    above = x >= 0
    below = s + 1
    np.copyto(s, 1, where=above)
    s /= below
    np.multiply(x, s, out=out)
    if slope is not None:
        np.subtract(1, s, out=below)
        below *= out
        np.add(s, below, out=slope)


def _portable_gelu(x: _Array, out: _Array, slope: _Array | None) -> None:
    wide = x.astype(np.float64)
    square = wide * wide
    u = square * wide
    u *= _CUBIC
    u += wide
    u *= _ROOT_TWO_OVER_PI
    rounded = import_module("refnum.elementary").tanh(u.astype(np.float32))
    e = rounded.astype(np.float64)
    half = wide * 0.5
    above = e + 1
    _round(half * above, out)
    if slope is not None:
        e *= e
        np.subtract(1, e, out=e)
        e *= half
        square *= 3 * _CUBIC
        square += 1
        square *= _ROOT_TWO_OVER_PI
        e *= square
        above *= 0.5
        above += e
        _round(above, slope)


def _portable_silu(x: _Array, out: _Array, slope: _Array | None) -> None:
    rounded = import_module("refnum.elementary").sigmoid(x)
    _round(np.multiply(x, rounded), out)
    if slope is not None:
        s = rounded.astype(np.float64)
        rest = 1 - s
        rest *= s
        rest *= x
        rest += s
        _round(rest, slope)


def _round(values: _Array, out: _Array) -> None:
    """Round to float32, with the one NaN that all machines have."""
    out[...] = values
    wrong = np.isnan(out)
    if wrong.any():
        out[wrong] = np.nan
