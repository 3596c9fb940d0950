"""The place of a value among those of a format, against the value table."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import refnum as rn
from refnum.cli.places import Neighbour, place_of
from refnum.formats import FORMATS

NARROW = [fmt for fmt in FORMATS if fmt.bits <= 9]


def values_of(fmt):
    """The finite values of a format with their codes, -0 left out."""
    pairs = [
        (float(value), code)
        for code, value in enumerate(fmt.values)
        if np.isfinite(value) and not (value == 0 and math.copysign(1, value) < 0)
    ]
    return sorted(pairs)


@pytest.mark.parametrize("fmt", NARROW, ids=str)
def test_every_value_is_exact(fmt):
    for value, code in values_of(fmt):
        place = place_of(value, fmt)
        assert (place.kind, place.toward_zero) == ("exact", Neighbour(code, value))


@pytest.mark.parametrize("fmt", NARROW, ids=str)
def test_between_neighbours(fmt):
    pairs = values_of(fmt)
    for (low, low_code), (high, high_code) in pairwise(pairs):
        value = low + (high - low) / 4
        place = place_of(value, fmt)
        inner, outer = Neighbour(low_code, low), Neighbour(high_code, high)
        nu = Fraction(1, 4)
        if value < 0:
            inner, outer, nu = outer, inner, 1 - nu
            if inner.value == 0 and fmt.has_negative_zero:
                inner = Neighbour(fmt.sign_mask, -0.0)
        assert place.kind == "between"
        assert (place.toward_zero, place.away_from_zero) == (inner, outer)
        assert (place.midpoint, place.nu) == ((low + high) / 2, nu)


@pytest.mark.parametrize(
    ("fmt", "after"),
    [
        (rn.E2M1, 8.0),
        (rn.E3M0, 32.0),
        (rn.INT4, 2.0),
        (rn.E4M3, 480.0),
        (rn.E5M2, 65536.0),
        (rn.E4M3FNUZ, 256.0),
        (rn.UE8M0, 2.0**128),
        (rn.UE5M3, 122880.0),
        (rn.FP32, 2.0**128),
    ],
    ids=str,
)
def test_past_the_largest_value(fmt, after):
    value = fmt.max + (after - fmt.max) / 8
    place = place_of(value, fmt)
    assert place.kind == "overflow"
    assert place.toward_zero == Neighbour(fmt.max_code, fmt.max)
    assert place.away_from_zero == Neighbour(None, after)
    assert place.nu == Fraction(1, 8)
    far = place_of(after, fmt)
    assert (far.kind, far.away_from_zero, far.nu) == ("overflow", None, None)


def test_twos_complement_has_one_more_below_zero():
    assert place_of(-2.0, rn.INT4).toward_zero == Neighbour(0x8, -2.0)
    assert place_of(-2.1, rn.INT4).away_from_zero == Neighbour(None, -2.25)
    place = place_of(-0.3, rn.INT4)
    assert place.toward_zero == Neighbour(0xF, -0.25)
    assert place.away_from_zero == Neighbour(0xE, -0.5)


def test_minus_zero_has_a_code_or_is_zero():
    assert place_of(-0.0, rn.E4M3).toward_zero.code == 0x80
    for fmt in (rn.E4M3FNUZ, rn.INT8, rn.UE5M3):
        zero = place_of(-0.0, fmt).toward_zero
        assert (zero.code, math.copysign(1, zero.value)) == (0, 1)


def test_below_the_smallest_value():
    for value in (0.0, 1e-40):
        place = place_of(value, rn.UE8M0)
        assert place.kind == "below"
        assert place.away_from_zero == Neighbour(0, 2.0**-127)


def test_no_place():
    assert place_of(math.nan, rn.E2M1).kind == "nan"
    assert place_of(-math.inf, rn.E5M2).kind == "infinity"
