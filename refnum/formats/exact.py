"""The second derivation: codes and values by exact fractions, one at a time.

Nothing here is shared with the fast codec but the `Format` and `Cast` records. A
value is rounded on the number line, as the definitions have it: find the spacing
of the target at that magnitude, take the multiples below and above, choose. The
code is then looked up by its value.
"""

from __future__ import annotations

import bisect
import math
import struct
from fractions import Fraction
from functools import lru_cache

from refnum.formats.cast import (
    Cast,
    MissingNaN,
    NaNChoice,
    Negative,
    Rounding,
    Saturation,
    SubnormalInputs,
    SubnormalResults,
    ZeroSign,
)
from refnum.formats.format import Format, NaNCodes

__all__ = ["decode", "encode"]

_HALF = Fraction(1, 2)
_FLOAT32_NORMAL = Fraction(1, 2**126)


def decode(code: int, fmt: Format) -> Fraction | float:
    """Return the exact value of one code: a Fraction, or a float NaN, inf or -0.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.formats import exact
    >>> exact.decode(0x7E, rn.E4M3)
    Fraction(448, 1)
    """
    if not 0 <= code < 2**fmt.bits:
        raise ValueError(f"code {code} does not fit the {fmt.bits} bits of {fmt.name}")
    if fmt.twos_complement:
        integer = code - 2**fmt.bits if code >= 2 ** (fmt.bits - 1) else code
        return integer * _power(1 - fmt.bias - fmt.mantissa_bits)
    negative, magnitude = fmt.signed and code >> (fmt.bits - 1), code
    if negative:
        magnitude -= 2 ** (fmt.bits - 1)
    value = _decode_magnitude(magnitude, fmt)
    if negative and magnitude == 0:
        return math.nan if fmt.nan is NaNCodes.NEGATIVE_ZERO else -0.0
    return -value if negative else value


def encode(
    x: float | Fraction, fmt: Format, cast: Cast = Cast(), random: int = 0
) -> int:
    """Return the code of one value.

    Parameters
    ----------
    x : float, int or Fraction
        The value.
    fmt : Format
        The target.
    cast : Cast
        How to convert.
    random : int
        The random bits of a stochastic rounding, below ``2**cast.random_bits``.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.formats import exact
    >>> hex(exact.encode(464, rn.E4M3))
    '0x7e'
    """
    cast = cast.resolve(fmt)
    negative = math.copysign(1.0, x) < 0 if isinstance(x, float) else x < 0
    if cast.via is not None and not _is_special(x):
        code = encode(x, cast.via, Cast(saturation=Saturation.NONE))
        first = decode(code, cast.via)
        lost_sign = negative and first == 0 and not isinstance(first, float)
        x = -0.0 if lost_sign else first
    if isinstance(x, float) and math.isnan(x):
        return _nan(fmt, cast, negative, payload=_payload(x))
    if not _is_special(x):
        x = _read_subnormal(Fraction(x), cast)
    if not fmt.signed and negative and x != 0:
        if cast.negative is Negative.NAN or (
            cast.negative is Negative.ZERO and _is_special(x)
        ):
            return _nan(fmt, cast, False)
        if cast.negative is Negative.ZERO:
            x = Fraction(0)
    negative = negative and fmt.signed
    if _is_special(x):
        return _infinite(fmt, cast, negative)
    size = abs(Fraction(x))
    if size == 0:
        return _zero(fmt, cast, negative, from_zero=True)
    return _round(size, fmt, cast, negative, random)


def _round(size: Fraction, fmt: Format, cast: Cast, negative: bool, random: int) -> int:
    spacing = _power(max(_floor_log2(size), _lowest(fmt)) - fmt.mantissa_bits)
    below = size // spacing
    nu = size / spacing - below
    odd = _is_odd(below * spacing, fmt)
    up = _round_away(cast, nu, odd, negative, random)
    result = (below + up) * spacing
    results = cast.subnormal_results
    smallest = Fraction(fmt.smallest_subnormal)
    if (
        results is SubnormalResults.FLUSH_BELOW_SMALLEST
        and fmt.zero
        and size < smallest
    ):
        result = Fraction(0)
    flush = results is SubnormalResults.FLUSH and fmt.zero and fmt.exponent_bits > 0
    if flush and result < Fraction(fmt.smallest_normal):
        result = Fraction(0)
    largest = _largest(fmt, cast, negative)
    if result > largest or (cast.overflow_at_max and size > largest):
        return _overflow(fmt, cast, negative)
    if result < smallest:
        return _zero(fmt, cast, negative, from_zero=False)
    return _code_of(result, fmt, negative)


def _round_away(
    cast: Cast, nu: Fraction, odd: bool, negative: bool, random: int
) -> bool:
    """Whether the magnitude is rounded up: P3109's RoundAway."""
    mode = cast.rounding
    if cast.random_bits is not None:
        steps = 1 << cast.random_bits
        if mode is Rounding.STOCHASTIC_A:
            return math.floor(nu * steps) + random >= steps
        if mode is Rounding.STOCHASTIC_B:
            return math.floor(nu * 2 * steps) + 2 * random + 1 >= 2 * steps
        return round(nu * steps) + random >= steps  # Python rounds ties to even
    if mode is Rounding.TOWARD_ZERO or nu == 0:
        return False
    if mode is Rounding.AWAY_FROM_ZERO:
        return True
    if mode is Rounding.TOWARD_POSITIVE:
        return not negative
    if mode is Rounding.TOWARD_NEGATIVE:
        return negative
    if mode is Rounding.TO_ODD:
        return not odd
    if nu != _HALF:
        return nu > _HALF
    ties = {
        Rounding.NEAREST_EVEN: odd,
        Rounding.NEAREST_AWAY: True,
        Rounding.NEAREST_ZERO: False,
        Rounding.NEAREST_UP: not negative,
    }
    return ties[mode]


def _overflow(fmt: Format, cast: Cast, negative: bool) -> int:
    inward = {Rounding.TOWARD_ZERO, Rounding.TO_ODD}
    inward.add(Rounding.TOWARD_POSITIVE if negative else Rounding.TOWARD_NEGATIVE)
    if cast.saturation is Saturation.NONE and cast.rounding not in inward:
        return _beyond(fmt, cast, negative)
    return _code_of(_largest(fmt, cast, negative), fmt, negative)


def _infinite(fmt: Format, cast: Cast, negative: bool) -> int:
    if cast.saturation is Saturation.FINITE:
        return _code_of(_largest(fmt, cast, negative), fmt, negative)
    return _beyond(fmt, cast, negative)


def _beyond(fmt: Format, cast: Cast, negative: bool) -> int:
    """Return infinity, else NaN, else the largest finite value."""
    if fmt.infinity_code is not None:
        return fmt.infinity_code + negative * fmt.sign_mask
    if fmt.nan is not NaNCodes.NONE:
        return _nan(fmt, cast, negative, keep_sign=True)
    return _code_of(_largest(fmt, cast, negative), fmt, negative)


def _nan(
    fmt: Format,
    cast: Cast,
    negative: bool,
    keep_sign: bool = False,
    payload: Fraction = Fraction(0),
) -> int:
    quiet = cast.nan is not NaNChoice.ALL_ONES
    code = fmt.quiet_nan_code if quiet else fmt.nan_code
    if code is None:
        return _missing_nan(fmt, cast, negative)
    if cast.nan is NaNChoice.PAYLOAD and fmt.nan is NaNCodes.TOP_EXPONENT:
        code |= math.floor(payload * 2**fmt.mantissa_bits)
    if fmt.nan is NaNCodes.NEGATIVE_ZERO or not fmt.signed:
        return code
    return code + (negative and (keep_sign or cast.nan_sign)) * fmt.sign_mask


def _payload(nan: float) -> Fraction:
    """Return what stands after the binary point of a NaN."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", nan))
    return Fraction(bits % 2**52, 2**52)


def _missing_nan(fmt: Format, cast: Cast, negative: bool) -> int:
    choice = cast.missing_nan
    if choice is MissingNaN.ERROR:
        raise ValueError(f"{fmt.name} has no NaN")
    sign = negative and fmt.signed and choice is not MissingNaN.MAX
    if choice in (MissingNaN.MAX, MissingNaN.SIGNED_MAX):
        return _code_of(_largest(fmt, cast, sign), fmt, sign)
    if choice is MissingNaN.SIGNED_ONE_AND_A_HALF:
        return _round(Fraction(3, 2), fmt, Cast(), sign, 0)
    flipped = choice is MissingNaN.FLIPPED_ZERO and not negative
    return flipped * fmt.has_negative_zero * fmt.sign_mask


def _zero(fmt: Format, cast: Cast, negative: bool, from_zero: bool) -> int:
    if not fmt.zero:
        return _nan(fmt, cast, False) if cast.zero_is_nan and from_zero else 0
    keep = cast.zero_sign is ZeroSign.KEEP or (
        cast.zero_sign is ZeroSign.INPUT_POSITIVE and not from_zero
    )
    return negative * keep * fmt.has_negative_zero * fmt.sign_mask


def _read_subnormal(x: Fraction, cast: Cast) -> Fraction:
    if x == 0 or abs(x) >= _FLOAT32_NORMAL:
        return x
    raised = _FLOAT32_NORMAL if x > 0 else -_FLOAT32_NORMAL
    if cast.subnormal_inputs is SubnormalInputs.FLUSH:
        return Fraction(0)
    if cast.subnormal_inputs is SubnormalInputs.RAISE:
        return raised
    above_half = abs(x) > _FLOAT32_NORMAL / 2
    if cast.subnormal_inputs is SubnormalInputs.RAISE_ABOVE_HALF and above_half:
        return raised
    return x


@lru_cache(1 << 16)
def _decode_magnitude(magnitude: int, fmt: Format) -> Fraction | float:
    field, fraction = divmod(magnitude, 2**fmt.mantissa_bits)
    ones = 2 ** (fmt.exponent_bits + fmt.mantissa_bits) - 1
    if fmt.nan is NaNCodes.TOP_EXPONENT and field == 2**fmt.exponent_bits - 1:
        return math.nan if fraction else math.inf
    if fmt.nan is NaNCodes.ALL_ONES and magnitude == ones:
        return math.nan
    # Elsewhere infinity is the largest magnitude that is no NaN.
    if fmt.infinity and magnitude == ones - (fmt.nan is NaNCodes.ALL_ONES):
        return math.inf
    significand = Fraction(fraction, 2**fmt.mantissa_bits)
    if field == 0 and fmt.zero:
        return significand * _power(1 - fmt.bias)
    return (1 + significand) * _power(field - fmt.bias)


def _code_of(size: Fraction, fmt: Format, negative: bool) -> int:
    """Return the code of a finite value: magnitudes grow with their codes."""
    codes = range(fmt.max_code + 1 + fmt.twos_complement)
    code = bisect.bisect_left(codes, size, key=lambda c: _size(c, fmt))
    if fmt.twos_complement:
        return -code % 2**fmt.bits if negative else code
    return code + negative * fmt.sign_mask


def _largest(fmt: Format, cast: Cast, negative: bool) -> Fraction:
    wider = fmt.twos_complement and not cast.symmetric and negative
    return _size(fmt.max_code + wider, fmt)


def _size(code: int, fmt: Format) -> Fraction:
    return abs(Fraction(decode(code, fmt)))


def _is_odd(value: Fraction, fmt: Format) -> bool:
    """Whether the code of the value would be odd, were the exponent unbounded."""
    if fmt.mantissa_bits == 0:
        return bool((_floor_log2(value) + fmt.bias) % 2) if value else False
    spacing = _power(max(_floor_log2(value), _lowest(fmt)) - fmt.mantissa_bits)
    return bool((value / spacing) % 2)


def _lowest(fmt: Format) -> int:
    """Exponent below which the spacing shrinks no more."""
    return fmt.zero - fmt.bias


def _floor_log2(x: Fraction) -> int:
    if x == 0:
        return -(10**6)
    guess = x.numerator.bit_length() - x.denominator.bit_length()
    return guess if _power(guess) <= x else guess - 1


def _power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def _is_special(x: float | Fraction) -> bool:
    return isinstance(x, float) and not math.isfinite(x)
