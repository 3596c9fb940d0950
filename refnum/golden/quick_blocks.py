"""One block in Python's float64, where that is exact: for golden layers of many blocks.

Products of two float32 are exact in float64, and a quotient rounded to float64 and then
to float32 is rounded as if once (53 >= 2 * 24 + 2 bits). So elements need no fractions;
the scale, one number a block, still comes from those of `refnum.blocks.exact`.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from functools import lru_cache

from refnum.blocks import BlockFormat
from refnum.blocks.exact import quantize_block
from refnum.blocks.exact_orders import ONE, Single, factor, reference, single
from refnum.blocks.exact_orders import tensor_scale as outer_scale
from refnum.formats import Cast, Format, Rounding, ZeroSign
from refnum.formats.exact import decode

__all__ = ["quick_block", "quick_code", "to_float32", "value_of"]


def to_float32(x: float) -> float:
    """Round a float64 to float32; overflow goes to infinity."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


@lru_cache(maxsize=1 << 16)
def value_of(code: int, fmt: Format) -> float:
    """Return the value of a code."""
    return float(decode(code, fmt))


def quick_block(
    block: list[float],
    fmt: BlockFormat,
    stored: BlockFormat,
    amax: float | None,
    random: list[int],
) -> tuple[list[int], int, list[float], float]:
    """Return the codes of a block, its scale code, its values and what 1 stands for.

    Parameters
    ----------
    block : list of float
        Values in float32.
    fmt, stored : BlockFormat
        What encodes it, and what decodes it.
    amax : float or None
        What is under the tensor scale.
    random : list of int
        Random bits of each element.
    """
    rule = fmt.rule
    largest = max(map(abs, block))
    whole = block if rule.statistic == "std" else [largest]
    _, scale = quantize_block(whole, fmt, amax, [0] * len(whole))
    kept = Single(value_of(scale, fmt.scale))
    if kept.value == 0 and rule.zero_scale_as is not None:
        kept = single(rule.zero_scale_as)
    unit = rule.unit_of(fmt.element)
    S = outer = ONE
    if fmt.tensor_scale is not None:
        assert amax is not None
        limit = fmt.tensor_scale.limit
        S = reference(rule.arithmetic.name, single(amax), limit, unit)
        top = single(limit * unit)
        outer = outer_scale(rule.arithmetic.name, single(amax), S, top)
    times = factor(rule.arithmetic.name, kept, S, single(largest))
    if fmt.prescale != 1:
        share = single(fmt.prescale)
        times = times / share if rule.arithmetic.divides else times * share
    t = times.value
    y = [to_float32(v / t if rule.arithmetic.divides else v * t) for v in block]
    cast = fmt.element_cast
    codes = [
        quick_code(v, fmt.element, cast, r) for v, r in zip(y, random, strict=True)
    ]
    s = Single(value_of(scale, fmt.scale))
    if stored.prescale != 1:
        s = s * (ONE / single(stored.prescale))
    if rule.arithmetic.combines:
        s, outer = s * outer, ONE
    back = []
    for code in codes:
        q = value_of(code, fmt.element)
        v = q / s.value if fmt.convention == "encode" else q * s.value
        back.append(to_float32(to_float32(v) * outer.value))
    step = to_float32(1 / s.value) if fmt.convention == "encode" else s.value
    return codes, scale, back, to_float32(step * outer.value)


def quick_code(x: float, fmt: Format, cast: Cast, random: int) -> int:
    """Return the code of a finite value in a format of sign and magnitude.

    Examples
    --------
    >>> import refnum as rn
    >>> [quick_code(v, rn.E2M1, rn.Cast(), 0) for v in (0.25, -5.0, 7.0)]
    [0, 14, 7]
    """
    levels = _levels(fmt)
    size, sign = abs(x), math.copysign(1.0, x) < 0
    low = bisect_right(levels, size) - 1
    code = low
    if low + 1 < len(levels) and size > levels[low]:
        gap = levels[low + 1] - levels[low]  # a power of two: the fraction is exact
        fraction = (size - levels[low]) / gap
        code += _up(fraction, low % 2 == 1, sign, cast, random)
    if code == 0 and cast.zero_sign is not ZeroSign.KEEP:
        sign = sign and size > 0 and cast.zero_sign is ZeroSign.INPUT_POSITIVE
    return code | (1 << (fmt.bits - 1)) * sign


@lru_cache(maxsize=32)
def _levels(fmt: Format) -> list[float]:
    half = range(1 << (fmt.bits - 1))
    return [v for v in (value_of(c, fmt) for c in half) if math.isfinite(v)]


def _up(fraction: float, odd: bool, sign: bool, cast: Cast, random: int) -> bool:
    """Whether a fraction of a step goes away from zero."""
    mode = cast.rounding
    if mode.is_stochastic:
        bits = cast.random_bits or 0
        if mode is Rounding.STOCHASTIC_B:
            carried = math.floor(fraction * 2 ** (bits + 1)) + 2 * random + 1
            return bool(carried >= 2 ** (bits + 1))
        exact = fraction * 2**bits
        drawn = math.floor(exact) if mode is Rounding.STOCHASTIC_A else round(exact)
        return bool(drawn + random >= 2**bits)
    if fraction != 0.5:
        return fraction > 0.5
    ties = {
        Rounding.NEAREST_EVEN: odd,
        Rounding.NEAREST_AWAY: True,
        Rounding.NEAREST_ZERO: False,
        Rounding.NEAREST_UP: not sign,
    }
    return ties[mode]
