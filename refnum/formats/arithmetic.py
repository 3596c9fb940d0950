"""Rounding whole arrays by integer arithmetic on the bits of float64.

This derivation takes any finite value, any rounding and any target: it serves wide
targets, stochastic rounding and double precision, and it fills the look-up tables
through which the codec sends everything else. It works in the domain of codes,
where a carry out of the mantissa needs no special case, because the next code is
the next value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

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

__all__ = ["encode_float64"]

_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]

_SIGNIFICAND = 53  # bits of a float64 significand
_FLOAT32_NORMAL = 2.0**-126


def encode_float64(
    x: npt.NDArray[np.float64],
    fmt: Format,
    cast: Cast,
    random: npt.NDArray[np.unsignedinteger] | None = None,
) -> npt.NDArray[np.unsignedinteger]:
    """Return the codes of a float64 array; `cast` is resolved, its `via` ignored."""
    negative = np.signbit(x)
    size = _read_subnormals(np.abs(x), cast)
    nan = np.isnan(size)
    infinite = np.isinf(size)
    nan_negative = negative
    if not fmt.signed:
        below_zero = negative & (size > 0)
        nan_negative = np.zeros_like(negative)
        if cast.negative is Negative.NAN:
            nan = nan | below_zero
        elif cast.negative is Negative.ZERO:
            nan = nan | (below_zero & infinite)
            size = np.where(below_zero & ~infinite, 0.0, size)
        negative = np.zeros_like(negative)
    special = nan | infinite
    size = np.where(special, 0.0, size)
    magnitude = _round(size, negative, fmt, cast, random)
    limit = _limits(negative, fmt, cast)
    overflow = magnitude > limit
    if cast.overflow_at_max:
        overflow |= size > fmt.max + (limit - fmt.max_code) * fmt.smallest_subnormal
    inward = overflow & _keeps_finite(negative, cast)
    magnitude = np.where(inward | (infinite & _saturates(cast)), limit, magnitude)
    codes = _add_sign(magnitude, negative, size == 0, fmt, cast)
    beyond = (overflow & ~inward) | infinite & (not _saturates(cast))
    codes = np.where(beyond, _beyond(negative, limit, fmt, cast), codes)
    if cast.zero_is_nan and not fmt.zero:
        nan = nan | ((size == 0) & ~special)
    if nan.any():
        nans = _nan_codes(nan_negative, fmt, cast)
        if cast.nan is NaNChoice.PAYLOAD and fmt.nan is NaNCodes.TOP_EXPONENT:
            nans = nans | _payload(x, fmt)
        codes = np.where(nan, nans, codes)
    return codes.astype(fmt.dtype)


@dataclass(frozen=True)
class _Cut:
    """A magnitude cut at the target's last place, and what was cut off."""

    code: _Ints
    """Code of the multiple at or below, as if the exponent were unbounded."""
    tail: _Words
    """The bits cut off."""
    shift: _Words
    """How many bits were cut off."""


def _round(
    size: npt.NDArray[np.float64],
    negative: _Bools,
    fmt: Format,
    cast: Cast,
    random: npt.NDArray[np.unsignedinteger] | None,
) -> _Ints:
    cut = _cut(size, fmt)
    if cast.rounding.is_stochastic:
        up = _stochastic_up(cut, cast, random)
    else:
        up = _RULES[cast.rounding](_Discarded.of(cut, negative))
    code = np.maximum(cut.code + up, 0)
    if not fmt.zero or cast.subnormal_results is SubnormalResults.GRADUAL:
        return code
    if cast.subnormal_results is SubnormalResults.FLUSH_BELOW_SMALLEST:
        return np.where(size < fmt.smallest_subnormal, 0, code)
    subnormal = code < (1 << fmt.mantissa_bits)
    return np.where(subnormal & (fmt.exponent_bits > 0), 0, code)


def _cut(size: npt.NDArray[np.float64], fmt: Format) -> _Cut:
    fraction, exponent = np.frexp(size)
    significand = np.ldexp(fraction, _SIGNIFICAND).astype(np.uint64)
    lowest = int(fmt.zero) - fmt.bias
    top = np.where(size == 0, lowest, exponent.astype(np.int64) - 1)
    lead = np.maximum(top, lowest)
    shift = (_SIGNIFICAND - 1 - fmt.mantissa_bits + lead - top).astype(np.uint64)
    short = np.minimum(shift, np.uint64(63))
    kept = significand >> short
    hidden = 0 if fmt.zero else 1 << fmt.mantissa_bits
    code = ((lead - lowest) << fmt.mantissa_bits) + kept.astype(np.int64) - hidden
    return _Cut(code, significand - (kept << short), shift)


@dataclass(frozen=True)
class _Discarded:
    """What a deterministic rounding may look at, one truth value an element."""

    inexact: _Bools
    tie: _Bools
    above: _Bools
    odd: _Bools
    negative: _Bools

    @classmethod
    def of(cls, cut: _Cut, negative: _Bools) -> _Discarded:
        half = np.uint64(1) << (np.minimum(cut.shift, np.uint64(63)) - np.uint64(1))
        odd = (cut.code & 1).astype(bool)
        return cls(cut.tail > 0, cut.tail == half, cut.tail > half, odd, negative)


# P3109's RoundAway: whether the magnitude goes up, one row a mode.
_RULES = {
    Rounding.NEAREST_EVEN: lambda d: d.above | (d.tie & d.odd),
    Rounding.NEAREST_AWAY: lambda d: d.above | d.tie,
    Rounding.NEAREST_ZERO: lambda d: d.above,
    Rounding.NEAREST_UP: lambda d: d.above | (d.tie & ~d.negative),
    Rounding.TOWARD_ZERO: lambda d: np.zeros_like(d.odd),
    Rounding.TOWARD_POSITIVE: lambda d: d.inexact & ~d.negative,
    Rounding.TOWARD_NEGATIVE: lambda d: d.inexact & d.negative,
    Rounding.AWAY_FROM_ZERO: lambda d: d.inexact,
    Rounding.TO_ODD: lambda d: d.inexact & ~d.odd,
}


def _stochastic_up(
    cut: _Cut, cast: Cast, random: npt.NDArray[np.unsignedinteger] | None
) -> _Bools:
    if random is None or cast.random_bits is None:
        raise ValueError("a stochastic rounding needs random bits")
    bits, draw = cast.random_bits, random.astype(np.uint64)
    one = np.uint64(1)
    if cast.rounding is Rounding.STOCHASTIC_A:
        return _leading(cut, bits) + draw >= one << np.uint64(bits)
    finer = _leading(cut, bits + 1)
    if cast.rounding is Rounding.STOCHASTIC_B:
        return finer + 2 * draw + one >= one << np.uint64(bits + 1)
    # C rounds the fraction to `bits` bits, ties to even, before it adds.
    quotient, half = finer >> one, (finer & one).astype(bool)
    rest = ~_is_exact(cut, bits + 1)
    quotient += half & (rest | (quotient & one).astype(bool))
    return quotient + draw >= one << np.uint64(bits)


def _leading(cut: _Cut, bits: int) -> _Words:
    """Return the integer part of the discarded fraction times ``2**bits``."""
    drop = cut.shift.astype(np.int64) - bits
    right = np.clip(drop, 0, 63).astype(np.uint64)
    left = np.clip(-drop, 0, 63).astype(np.uint64)
    return (cut.tail >> right) << left


def _is_exact(cut: _Cut, bits: int) -> _Bools:
    drop = np.clip(cut.shift.astype(np.int64) - bits, 0, 63).astype(np.uint64)
    exact: _Bools = (cut.tail >> drop) << drop == cut.tail
    return exact


def _read_subnormals(
    size: npt.NDArray[np.float64], cast: Cast
) -> npt.NDArray[np.float64]:
    choice = cast.subnormal_inputs
    if choice is SubnormalInputs.EXACT:
        return size
    subnormal = size < _FLOAT32_NORMAL
    if choice is SubnormalInputs.FLUSH:
        return np.where(subnormal, 0.0, size)
    above = 0.0 if choice is SubnormalInputs.RAISE else _FLOAT32_NORMAL / 2
    return np.where(subnormal & (size > above), _FLOAT32_NORMAL, size)


def _limits(negative: _Bools, fmt: Format, cast: Cast) -> _Ints:
    """Return the largest finite magnitude on each element's side."""
    wider = fmt.twos_complement and not cast.symmetric
    return np.where(negative & wider, fmt.max_code + 1, fmt.max_code)


def _saturates(cast: Cast) -> bool:
    return cast.saturation is Saturation.FINITE


def _keeps_finite(negative: _Bools, cast: Cast) -> _Bools:
    """Whether finite overflow stays finite: by saturation, or by direction."""
    always = {Rounding.TOWARD_ZERO, Rounding.TO_ODD}
    if cast.saturation is not Saturation.NONE or cast.rounding in always:
        return np.ones_like(negative)
    if cast.rounding is Rounding.TOWARD_POSITIVE:
        return negative
    if cast.rounding is Rounding.TOWARD_NEGATIVE:
        return ~negative
    return np.zeros_like(negative)


def _beyond(negative: _Bools, limit: _Ints, fmt: Format, cast: Cast) -> _Ints:
    """Return infinity, else NaN with the sign, else the largest finite value."""
    if fmt.infinity_code is not None:
        return fmt.infinity_code + negative * np.int64(fmt.sign_mask)
    if fmt.nan is not NaNCodes.NONE:
        return _nan_codes(negative, fmt, replace(cast, nan_sign=True))
    return _add_sign(limit, negative, np.zeros_like(negative), fmt, cast)


def _nan_codes(negative: _Bools, fmt: Format, cast: Cast) -> _Ints:
    quiet = cast.nan is not NaNChoice.ALL_ONES
    code = fmt.quiet_nan_code if quiet else fmt.nan_code
    if code is None:
        return _missing_nan_codes(negative, fmt, cast)
    signed = fmt.signed and fmt.nan is not NaNCodes.NEGATIVE_ZERO and cast.nan_sign
    return code + (negative & signed) * np.int64(fmt.sign_mask)


def _payload(x: npt.NDArray[np.float64], fmt: Format) -> _Ints:
    """Return the leading fraction bits of the NaNs, 0 for numbers."""
    shift = np.uint64(_SIGNIFICAND - 1 - fmt.mantissa_bits)
    leading = (x.view(np.uint64) >> shift).astype(np.int64)
    return np.where(np.isnan(x), leading & ((1 << fmt.mantissa_bits) - 1), 0)


def _missing_nan_codes(negative: _Bools, fmt: Format, cast: Cast) -> _Ints:
    choice = cast.missing_nan
    if choice is MissingNaN.ERROR:
        raise ValueError(f"the input has a NaN and {fmt.name} has none")
    if choice is MissingNaN.FLIPPED_ZERO:
        return ~negative * np.int64(fmt.sign_mask if fmt.has_negative_zero else 0)
    signs = negative if choice is not MissingNaN.MAX else np.zeros_like(negative)
    if choice is MissingNaN.ZERO:
        return np.zeros(negative.shape, np.int64)
    size = _limits(signs, fmt, cast)
    if choice is MissingNaN.SIGNED_ONE_AND_A_HALF:
        nearest = replace(cast, rounding=Rounding.NEAREST_EVEN, random_bits=None)
        size = _round(np.full(signs.shape, 1.5), signs, fmt, nearest, None)
    return _add_sign(size, signs, np.zeros_like(signs), fmt, cast)


def _add_sign(
    magnitude: _Ints, negative: _Bools, from_zero: _Bools, fmt: Format, cast: Cast
) -> _Ints:
    if fmt.twos_complement:
        mask = (1 << fmt.bits) - 1
        return np.where(negative, -magnitude, magnitude) & mask
    if not fmt.signed:
        return magnitude
    zero = magnitude == 0
    if not fmt.has_negative_zero or cast.zero_sign is ZeroSign.POSITIVE:
        negative = negative & ~zero
    elif cast.zero_sign is ZeroSign.INPUT_POSITIVE:
        negative = negative & ~(zero & from_zero)
    return magnitude | negative * np.int64(fmt.sign_mask)
