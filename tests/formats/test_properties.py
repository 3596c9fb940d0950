"""What every conversion must satisfy, whatever the value."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnum as rn
from refnum import Cast, NaNChoice, Rounding, Saturation
from refnum.formats import exact

from ._cases import DETERMINISTIC, STOCHASTIC, UP_TO_16_BITS, landmarks

formats = st.sampled_from(UP_TO_16_BITS)
with_zero = st.sampled_from([f for f in UP_TO_16_BITS if f.zero])
two_signed = st.sampled_from(
    [f for f in UP_TO_16_BITS if f.signed and not f.twos_complement]
)
roundings = st.sampled_from(DETERMINISTIC)
saturations = st.sampled_from(Saturation)
NEAREST = [r for r in DETERMINISTIC if r.value.startswith("nearest")]


@st.composite
def values_near(draw, fmt):
    """A float64 at a scale that the format has, or just outside of it."""
    if draw(st.booleans()):
        points = landmarks(fmt)
        point = float(points[draw(st.integers(0, points.size - 1))])
        value = point * (1 + draw(st.sampled_from([0.0, 2.0**-30, -(2.0**-30)])))
    else:
        exponent = draw(st.integers(fmt.emin - fmt.mantissa_bits - 3, fmt.emax + 2))
        value = 2.0**exponent * draw(st.floats(1, 2))
    return -value if fmt.signed and draw(st.booleans()) else value


@st.composite
def format_and_values(draw, formats=formats, count=1):
    fmt = draw(formats)
    return fmt, [draw(values_near(fmt)) for _ in range(count)]


def rounded(x, fmt, **choices):
    return rn.decode(rn.encode(x, fmt, Cast(**choices)), fmt, np.float64)


@given(format_and_values(count=2), roundings)
def test_monotone(case, rounding):
    fmt, values = case
    low, high = rounded(sorted(values), fmt, rounding=rounding)
    assert low <= high or np.isnan([low, high]).any()


@given(formats, roundings, saturations)
def test_values_of_the_format_stay(fmt, rounding, saturation):
    codes = np.arange(1 << fmt.bits).astype(fmt.dtype)
    values = fmt.values
    codes, values = codes[np.isfinite(values)], values[np.isfinite(values)]
    cast = Cast(rounding=rounding, saturation=saturation)
    np.testing.assert_array_equal(rn.encode(values, fmt, cast), codes)


@given(format_and_values(), roundings, saturations)
def test_idempotent(case, rounding, saturation):
    fmt, values = case
    choices = {"rounding": rounding, "saturation": saturation}
    once = rounded(values, fmt, **choices)
    np.testing.assert_array_equal(rounded(once, fmt, **choices), once)


MIRRORED = {
    Rounding.TOWARD_POSITIVE: Rounding.TOWARD_NEGATIVE,
    Rounding.TOWARD_NEGATIVE: Rounding.TOWARD_POSITIVE,
}


@given(
    format_and_values(two_signed),
    st.sampled_from([r for r in DETERMINISTIC if r is not Rounding.NEAREST_UP]),
    saturations,
)
def test_symmetric_in_the_sign(case, rounding, saturation):
    fmt, values = case
    value = np.array(values)
    mirror = MIRRORED.get(rounding, rounding)
    got = rounded(value, fmt, rounding=rounding, saturation=saturation)
    want = -rounded(-value, fmt, rounding=mirror, saturation=saturation)
    np.testing.assert_array_equal(got, want)


@given(format_and_values(), st.sampled_from(NEAREST))
def test_nearest_is_nearest(case, rounding):
    fmt, values = case
    all_values = np.unique(fmt.values[np.isfinite(fmt.values)])
    got = rounded(values, fmt, rounding=rounding, saturation=Saturation.FINITE)
    # Exact: a difference of float64s may round, and ties must not look nearer.
    value = Fraction(values[0])
    place = int(np.searchsorted(all_values, values[0]))
    near = [*all_values[max(place - 1, 0) : place + 1]]
    distances = [abs(Fraction(float(v)) - value) for v in near]
    assert abs(Fraction(float(got[0])) - value) == min(distances)


@given(format_and_values(with_zero))
def test_directed_roundings_bracket(case):
    fmt, values = case
    below, above, inner, outer = (
        rounded(values, fmt, rounding=mode, saturation=Saturation.FINITE)[0]
        for mode in (
            Rounding.TOWARD_NEGATIVE,
            Rounding.TOWARD_POSITIVE,
            Rounding.TOWARD_ZERO,
            Rounding.AWAY_FROM_ZERO,
        )
    )
    lowest = fmt.values[np.isfinite(fmt.values)].min()
    value = float(np.clip(values[0], lowest, fmt.max))
    assert below <= value <= above
    assert abs(inner) <= abs(value) <= abs(outer)
    assert {below, above} == {inner, outer}
    finite = fmt.values[np.isfinite(fmt.values)]
    assert not ((finite > below) & (finite < above)).any()


@pytest.mark.parametrize("bits", [1, 3, 8])
@pytest.mark.parametrize("mode", STOCHASTIC)
@pytest.mark.parametrize("fmt", [rn.E2M1, rn.E4M3, rn.UE5M3, rn.BF16], ids=str)
def test_stochastic_frequencies_are_exact(fmt, mode, bits):
    # Of all words, as many go up as the fraction says: cut off (A), rounded up at
    # the half (B), rounded to even (C) to `bits` bits.
    steps, cast = 1 << bits, Cast(rounding=mode, random_bits=bits)
    draws = np.arange(steps, dtype=np.uint16)
    one = int(rn.encode(1.0, fmt))
    for numerator in range(4 * steps):
        fraction = numerator / (4 * steps)
        x = np.full(steps, 1.0 + fraction * 2.0**-fmt.mantissa_bits)
        ups = int((rn.encode(x, fmt, cast, random=draws) - one).sum())
        quarters = numerator % 4
        want = {
            Rounding.STOCHASTIC_A: numerator // 4,
            Rounding.STOCHASTIC_B: numerator // 4 + (quarters >= 2),
            Rounding.STOCHASTIC_C: round(numerator / 4),
        }
        assert ups == want[mode]


@given(format_and_values(count=4), roundings, saturations)
def test_round_to_is_encode_then_decode(case, rounding, saturation):
    fmt, values = case
    cast = Cast(rounding=rounding, saturation=saturation)
    for x in (values, np.array(values, np.float32)):
        want = rn.decode(rn.encode(x, fmt, cast), fmt)
        got = rn.round_to(x, fmt, cast)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got.view(np.uint32), want.view(np.uint32))


@given(st.integers(0, (1 << 52) - 1), st.booleans())
def test_payloads_of_nans_by_definition(payload, negative):
    bits = np.array([0x7FF << 52 | 1 << 51 | payload | negative << 63], np.uint64)
    x = bits.view(np.float64)
    cast = Cast(nan=NaNChoice.PAYLOAD, nan_sign=True)
    for fmt in (rn.E5M2, rn.E3M4, rn.FP16, rn.BF16, rn.E4M3):
        got = rn.encode(x, fmt, cast)
        assert got[0] == exact.encode(float(x[0]), fmt, cast)
