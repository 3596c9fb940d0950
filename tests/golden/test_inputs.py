"""The cases: all that must be there is there, and its reason is true."""

from itertools import pairwise

import numpy as np
import pytest

import refnum as rn
from refnum.golden.inputs import F32, F64, double_inputs, encode_inputs, number

NARROW = [fmt for fmt in rn.formats.FORMATS if fmt.bits <= 9]


def patterns(fmt, thorough=True):
    inputs = encode_inputs(fmt, thorough=thorough, randoms=8, key=(1, 2))
    return {case.pattern: case for case in inputs}


def finite(fmt):
    return np.unique(fmt.values[np.isfinite(fmt.values)])


def around(value):
    x = np.float32(value)
    steps = [np.nextafter(x, np.float32(s * np.inf)) for s in (-1, 1)]
    return {F32.pattern(float(v)) for v in (steps[0], x, steps[1])}


@pytest.mark.parametrize("fmt", NARROW, ids=str)
def test_every_value_and_every_midpoint_with_its_neighbours(fmt):
    have = patterns(fmt).keys()
    values = finite(fmt)
    assert {F32.pattern(float(v)) for v in values} <= have
    for low, high in pairwise(values.tolist()):
        assert around((low + high) / 2) <= have


@pytest.mark.parametrize("fmt", NARROW, ids=str)
@pytest.mark.parametrize("thorough", [True, False])
def test_special_values_and_the_edges_of_overflow(fmt, thorough):
    have = patterns(fmt, thorough)
    x = F32.values(list(have))
    nans = F32.values([p for p in have if np.isnan(F32.values([p])[0])])
    assert {F32.pattern(v) for v in (0.0, -0.0, np.inf, -np.inf)} <= have.keys()
    assert len(set(np.signbit(nans).tolist())) == 2
    assert np.float32(2.0**-149) in x
    assert np.float32(-(2.0**-149)) in x
    values = finite(fmt).tolist()
    step = values[-1] if fmt.mantissa_bits == 0 else values[-1] - values[-2]
    assert around(values[-1]) <= have.keys()
    assert around(values[-1] + step / 2) <= have.keys()
    if fmt.signed:
        assert around(values[0]) <= have.keys()
        assert around(values[0] - step / 2) <= have.keys()


@pytest.mark.parametrize("fmt", NARROW, ids=str)
def test_ties_are_ties(fmt):
    """A midpoint is where the two nearest modes that differ in ties differ."""
    cases = [c for c in patterns(fmt).values() if np.isfinite(F32.values([c.pattern]))]
    x = F32.values([c.pattern for c in cases])
    codes = [
        rn.encode(np.abs(x.astype(np.float64)), wider(fmt), rn.Cast(mode))
        for mode in (rn.Rounding.NEAREST_AWAY, rn.Rounding.NEAREST_ZERO)
    ]
    assert any(case.tie for case in cases)
    for case, tie in zip(cases, codes[0] != codes[1], strict=True):
        if case.tie:
            assert tie, case


def wider(fmt):
    """The format without sign and with more exponents, so that nothing overflows."""
    exponent, mantissa = fmt.exponent_bits + 2, fmt.mantissa_bits
    return rn.Format("wider", exponent, mantissa, fmt.bias, False, zero=fmt.zero)


@pytest.mark.parametrize("fmt", [rn.E2M1, rn.E4M3, rn.E5M2], ids=str)
def test_a_first_rounding_to_float32_spoils_the_double_inputs(fmt):
    inputs = [case for case in double_inputs(fmt) if not case.tie]
    x = F64.values([case.pattern for case in inputs])
    once, twice = rn.encode(x, fmt), rn.encode(x.astype(np.float32), fmt)
    assert np.mean(once != twice) > 0.4  # the other half lies on the even side


def test_the_known_double_rounding_of_e4m3_is_there():
    patterns = {case.pattern for case in double_inputs(rn.E4M3)}
    assert F64.pattern(-431.99999999999994) in patterns


def test_random_values_follow_the_key():
    def draw(key):
        inputs = encode_inputs(rn.E4M3, thorough=False, randoms=20, key=key)
        return [case.pattern for case in inputs]

    assert draw((1, 5)) == draw((1, 5))
    assert len(set(draw((1, 5))) - set(draw((2, 5)))) == 20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (0.5, "0.5"),
        (-448.0, "-448"),
        (2.0**-127, "2^-127"),
        (-1.25 * 2.0**-20, "-1.25*2^-20"),
        (float("nan"), "NaN"),
        (float("-inf"), "-infinity"),
    ],
)
def test_numbers_are_short_and_exact(value, text):
    assert number(value) == text
