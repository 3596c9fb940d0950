"""Choices of grids and of scales: each against its definition, one number at a time."""

from fractions import Fraction

import numpy as np

import refnum as rn
from refnum import blocks

from ._inputs import normal
from ._scalar import (
    E2M1,
    FLT_MAX,
    UE4M3,
    UNIFORM,
    F,
    amaxes,
    compare,
    decode_factor,
    draw,
    fmin,
    kinds,
    nearest,
    reference,
    scale_code,
    signed,
    value,
)


def if4(block, amax):
    """E2M1 or integers times 6/7, by the squared error in float32."""
    S = reference(amax, 2688)
    code = scale_code(max(abs(v) for v in block) / F(6) * S)
    scale = F(UE4M3[code])
    factor = decode_factor(code, S) if code else F(0)
    found = []
    for integers in (False, True):
        codes, total = [], F(0)
        for v in block:
            y = v * factor
            if integers:
                size = nearest(abs(float(y * F(7 / 6))), range(8))
                q = F(-size if y < 0 else size)
                codes.append(int(q) & 15)
                back = (q * scale * amax) * F(6 / 7) / F(2688)
            else:
                codes.append(signed(y, E2M1))
                back = value(codes[-1]) * scale * amax / F(2688)
            total = total + (back - v) * (back - v)
        found.append((total, code + 128 * integers, codes))
    first, second = found
    return second[1:] if second[0] < first[0] else first[1:]


@kinds
def test_if4(kind):
    x = draw(kind)
    for amax in amaxes(x):
        compare(x, blocks.NVFP4_IF4, if4, amax)


def mixfp4(block, amax):
    """E2M1 under amax / 6 or E1M2, counting to 7, under amax / 7; float64 errors."""
    S = reference(amax, 2688)
    outer = F(1) if amax == 0 else amax / F(2688)
    found = []
    for unit, grid, times in ((6, E2M1, F(1)), (7, UNIFORM, F(4))):
        t = fmin(max(abs(v) for v in block) * (S * (F(1) / F(unit))), FLT_MAX)
        code = scale_code(t)
        factor = decode_factor(code, S)
        codes = [signed(v * factor * (F(1) / times), grid) for v in block]
        total = 0.0
        for q, v in zip(codes, block, strict=True):
            back = value(q, grid) * times * F(UE4M3[code]) * outer
            total += (float(back) - float(v)) ** 2
        found.append((total, code + 128 * (unit == 7), codes))
    first, second = found
    return second[1:] if second[0] < first[0] else first[1:]


@kinds
def test_mixfp4(kind):
    x = draw(kind)
    for amax in amaxes(x):
        compare(x, blocks.NVFP4_MIXFP4, mixfp4, amax)


def sse(block, _):
    """The power of two of least error around floor(log2 amax) - 2, by fractions."""
    a = max(abs(float(v)) for v in block)
    middle = -127 if a == 0 else max(int(np.frexp(a)[1]) - 3, -127)
    found = []
    for exponent in (middle, middle + 1, middle - 1):
        if a == 0:
            exponent = -127
        scale = Fraction(2) ** max(exponent, -127)
        codes, total = [], Fraction(0)
        for v in block:
            size = nearest(min(abs(Fraction(float(v))) / scale, 8), E2M1)
            codes.append(size + 8 * bool(np.signbit(v)))
            back = Fraction(E2M1[size]) * scale
            overflows = back >= 2**128  # is infinite when dequantised
            gap = back - abs(Fraction(float(v)))
            total += np.inf if overflows else gap**2
        found.append((total, max(exponent, -127) + 127, codes))
    return min(found, key=lambda one: one[0])[1:]


@kinds
def test_scale_search(kind):
    compare(draw(kind, 32), blocks.MXFP4_SSE, sse, None)


def test_scale_search_uses_all_candidates():
    outlier = np.full((1, 32), 1.25, F)  # 8 below 6, and much else is halfway
    outlier[0, 0] = 8.0
    outlier[0, 1:] = 0.5
    rest = normal(np.random.default_rng(5), 2000, 32)
    x = np.concatenate([outlier, rest])
    moved = rn.quantize(x, blocks.MXFP4_SSE).scales.astype(int)
    moved -= rn.quantize(x, rn.MXFP4).scales
    assert set(moved.ravel().tolist()) == {-1, 0, 1}


def test_scalar_helpers():
    """The grids of this file are those of the formats."""
    assert rn.E2M1.values[:8].tolist() == E2M1
    assert rn.E1M2.values[:8].tolist() == UNIFORM
    assert rn.UE4M3.values[:127].tolist() == UE4M3
