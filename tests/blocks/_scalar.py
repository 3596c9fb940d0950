"""Scalar arithmetic for second derivations: one float32 or one code at a time."""

import math
from fractions import Fraction

import numpy as np
import pytest

import refnum as rn

from ._inputs import FINITE, assert_same

F = np.float32
FLT_MAX = F(np.finfo(F).max)
E2M1 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
UNIFORM = [k / 4 for k in range(8)]
UE4M3 = [m / 512 for m in range(8)] + [
    (8 + m) / 8 * 2.0 ** (e - 7) for e in range(1, 16) for m in range(8)
][:-1]  # the last would be the NaN


def nearest(size, grid, away=False):
    """Index of the nearest of the increasing grid; ties to even or away from zero."""
    if math.isnan(size):
        return len(grid) - 1
    size = min(float(size), 2 * grid[-1])
    gaps = [abs(Fraction(value) - Fraction(size)) for value in grid]
    least = min(gaps)
    ties = [i for i, gap in enumerate(gaps) if gap == least]
    return ties[-1] if away else min(ties, key=lambda i: i % 2)


def signed(y, grid, away=False):
    """Code of sign and magnitude; -0 keeps its sign, NaN has none."""
    negative = math.copysign(1.0, float(y)) < 0 and not math.isnan(float(y))
    return nearest(abs(float(y)), grid, away) + 8 * negative


def value(code, grid=E2M1):
    return F(-grid[code - 8] if code >= 8 else grid[code])


def scale_code(t):
    """E4M3 of a nonnegative number, saturating."""
    return 127 if math.isnan(float(t)) else nearest(float(t), UE4M3)


def fmin(a, b):
    return b if np.isnan(a) else min(a, b)


def reference(amax, top):
    with np.errstate(all="ignore"):
        S = fmin(F(top) / amax, FLT_MAX)
    return F(1) if amax == 0 or S == 0 else S


def decode_factor(code, S):
    """min(1 / (scale * (1 / S)), FLT_MAX)."""
    return fmin(F(1) / (F(UE4M3[code]) * (F(1) / S)), FLT_MAX)


COUNT = 6  # blocks of each kind
kinds = pytest.mark.parametrize("kind", FINITE, ids=lambda kind: kind.__name__)


def draw(kind, size=16, count=COUNT):
    with np.errstate(all="ignore"):
        return kind(np.random.default_rng(len(kind.__name__)), count, size)


def amaxes(x):
    with np.errstate(invalid="ignore"):
        return [F(np.abs(x).max()), F(0), F(1e-38), F(2688), F(3e38)]


def compare(x, fmt, definition, amax, shape=None):
    q = rn.quantize(x if shape is None else x.reshape(shape), fmt, tensor_amax=amax)
    with np.errstate(all="ignore"):
        want = [definition(list(row), amax) for row in x]
    assert_same(q.scales.reshape(-1), [w[0] for w in want], f"scales, {amax}", x)
    assert_same(q.codes.reshape(x.shape), [w[1] for w in want], f"codes, {amax}", x)
    return q
