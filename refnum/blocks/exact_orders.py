"""The orders of operations around a scale, each as its formula in exact fractions.

A `Single` is a float32 whose `*` and `/` are computed in fractions and rounded once. In
the formulas `a` is the block's amax, `g` the amax of what the tensor scale spans,
`unit` the element value that `a` maps to, `top` what `g` maps to (limit * unit) and `S`
the reference that they give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from refnum.blocks.reciprocal import approximate_reciprocal
from refnum.formats import BF16
from refnum.formats.exact import decode, encode

__all__ = [
    "ONE",
    "Single",
    "factor",
    "ratio",
    "reference",
    "round_float32",
    "single",
    "tensor_scale",
]

_FLT_MAX = (2 - 2.0**-23) * 2.0**127
_SPACING = Fraction(1, 2**149)  # of the subnormals


def round_float32(x: Fraction) -> float:
    """Round a fraction to the nearest float32, ties to even.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from refnum.blocks.exact_orders import round_float32
    >>> round_float32(1 + Fraction(1, 2**24)), round_float32(Fraction(2) ** 128)
    (1.0, inf)
    """
    size, spacing = abs(x), _SPACING
    while size >= spacing * 2**24:
        length = (size / (spacing * 2**24)).__floor__().bit_length()
        spacing *= 2**length
    units = round(size / spacing)  # Python rounds ties to even
    result = units * spacing
    sign = -1.0 if x < 0 else 1.0
    return sign * (math.inf if result > _FLT_MAX else float(result))


@dataclass(frozen=True)
class Single:
    """A float32 with correctly rounded sums, products and quotients."""

    value: float

    def __add__(self, other: Single) -> Single:
        a, b = self.value, other.value
        if not (_ordinary(a) and _ordinary(b)):
            return Single(a + b)
        return Single(round_float32(Fraction(a) + Fraction(b)))

    def __sub__(self, other: Single) -> Single:
        return self + Single(-other.value)

    def __mul__(self, other: Single) -> Single:
        a, b = self.value, other.value
        if not (_ordinary(a) and _ordinary(b)):
            return Single(a * b)
        return Single(round_float32(Fraction(a) * Fraction(b)))

    def __truediv__(self, other: Single) -> Single:
        a, b = self.value, other.value
        if b == 0:
            sign = math.copysign(1.0, a) * math.copysign(1.0, b)
            return Single(math.nan if a == 0 or math.isnan(a) else sign * math.inf)
        if not (_ordinary(a) and _ordinary(b)):
            return Single(a / b)
        return Single(round_float32(Fraction(a) / Fraction(b)))


ONE, FLT_MAX = Single(1.0), Single(_FLT_MAX)


def reference(name: str, g: Single, limit: float, unit: float) -> Single:
    """Return what the blocks of a tensor are measured by."""
    top = single(limit * unit)
    match name:
        case "torchao":
            return g / top
        case "alto":
            return _larger(g / top, single(1e-30))
        case "compressed_tensors":
            S = (ONE / _larger(g, Single(2.0**-126))) * top
            return ONE if S.value == math.inf else S
        case "encode":
            return ONE if g.value == 0 else g
        case "quartet_ii":
            share = single(6 / top.value)
            return ONE if g.value == 0 else g * share * _rcp(single(6))
        case "eden":
            return ONE if g.value == 0 else (g / single(limit)) / single(unit)
        case "eden_power":
            return single(limit / unit)
        case _:
            S = _smaller(top / g, FLT_MAX)
            return ONE if g.value == 0 or S.value == 0 else S


def ratio(name: str, a: Single, S: Single, unit: Single) -> float | Fraction:
    """Return the number that the scale format rounds."""
    match name:
        case "exact":
            finite = math.isfinite(a.value)
            return Fraction(a.value) / Fraction(unit.value) if finite else a.value
        case "divide" | "ceiling_divide":
            return (a / unit).value
        case "multiply":
            return (a * (ONE / unit)).value
        case "transformer_engine":
            return _smaller(a * (S * (ONE / unit)), FLT_MAX).value
        case "held_reference":
            return (a * (S * (ONE / unit))).value
        case "four_over_six" | "compressed_tensors":
            return ((a / unit) * S).value
        case "four_over_six_to_four":
            six = unit * single(1.5)
            return ((a / six) * S * single(1.5)).value
        case "quartet_ii":
            return ((a * _rcp(unit)) * _rcp(S)).value
        case "flashinfer" | "vllm":
            return (S * (a * _rcp(unit))).value
        case "torchao" | "eden":
            return ((a / unit) / S).value
        case "eden_power":
            return a.value
        case "alto":
            return ((a / S) / unit).value
        case "hifloat4":
            inverse = _bf16(Fraction(1) / Fraction(unit.value))
            return _bf16(_times(a.value, inverse))
        case "encode":
            return ((unit / (ONE if a.value == 0 else a)) * S).value
    raise ValueError(f"the arithmetic {name!r} has no exact derivation")


def factor(name: str, scale: Single, S: Single, a: Single) -> Single:
    """Return what values are multiplied or divided by."""
    match name:
        case "ceiling_divide":
            return scale
        case "hifloat4":
            finite = math.isfinite(scale.value)
            return Single(_bf16(1 / Fraction(scale.value)) if finite else scale.value)
        case "transformer_engine" | "four_over_six" | "four_over_six_to_four":
            return _smaller(ONE / (scale * (ONE / S)), FLT_MAX)
        case "held_reference":
            return ONE / (scale * (ONE / S))
        case "flashinfer" | "vllm":
            guard = a if name == "flashinfer" else scale
            return Single(0.0) if guard.value == 0 else _rcp(scale * _rcp(S))
        case "quartet_ii":
            return _rcp(scale * S)
        case "torchao":
            return (ONE / S) / scale
        case "alto" | "eden" | "eden_power":
            return scale * S
        case "compressed_tensors" | "encode":
            return scale / S
    return ONE / scale


def tensor_scale(name: str, g: Single, S: Single, top: Single) -> Single:
    """Return the decode scale of a tensor."""
    match name:
        case "compressed_tensors" | "held_reference":
            return ONE / S
        case "transformer_engine" | "four_over_six" | "four_over_six_to_four":
            return ONE if g.value in (0, math.inf) else g / top
        case "flashinfer" | "vllm":
            return ONE if g.value in (0, math.inf) else g / top
    return S


def _bf16(x: float | Fraction) -> float:
    """Round once to BF16."""
    return float(decode(encode(x, BF16), BF16))


def _times(a: float, b: float) -> float | Fraction:
    """Multiply without rounding where the product is a number."""
    return Fraction(a) * Fraction(b) if _ordinary(a) else a * b


def _rcp(x: Single) -> Single:
    """Return what a chip measured: there is no formula for it."""
    return Single(float(approximate_reciprocal(x.value)))


def _smaller(x: Single, limit: Single) -> Single:
    """Return the smaller number, `limit` for NaN: fminf."""
    return x if x.value < limit.value else limit


def _larger(x: Single, limit: Single) -> Single:
    """Return the larger number, `limit` for NaN: fmaxf."""
    return x if x.value > limit.value else limit


def single(x: float) -> Single:
    """Round a number to float32."""
    return Single(round_float32(Fraction(x)) if _ordinary(x) else x)


def _ordinary(x: float) -> bool:
    """Whether fractions can say it all: no zero with its sign, infinity or NaN."""
    return math.isfinite(x) and x != 0
