"""The strategies draw what they promise, find planted faults, and shrink well."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import refnum as rn
from refnum.testing import strategies

QUICK = settings(
    max_examples=400,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def finds(strategy, condition):
    try:
        return find(strategy, condition, settings=QUICK)
    except NoSuchExample:
        pytest.fail("no example was found")


def test_formats_shrink_to_the_narrowest():
    assert finds(strategies.formats(), lambda f: f.signed).bits == 4
    assert finds(strategies.formats(wide=True), lambda f: f.bits == 32) == rn.FP32


@QUICK
@given(strategies.formats().filter(lambda f: f.bits <= 8), st.data())
def test_codes_are_codes(fmt, data):
    code = data.draw(strategies.codes(fmt, nan=False))
    assert not math.isnan(rn.decode(code, fmt))


@QUICK
@given(strategies.formats(), st.data())
def test_values_are_on_the_grid(fmt, data):
    value = data.draw(strategies.values(fmt))
    assert value in fmt.values


def test_nan_on_demand():
    assert math.isnan(finds(strategies.values(rn.E4M3, nan=True), math.isnan))
    with pytest.raises(NoSuchExample):
        find(strategies.values(rn.E4M3), math.isnan, settings=QUICK)


class TestHardFloats:
    def test_ties_are_found(self):
        """A conversion with ties away differs at midpoints alone."""
        away = rn.Cast(rn.Rounding.NEAREST_AWAY)

        def differ(x):
            return rn.round_to(x, rn.E4M3) != rn.round_to(x, rn.E4M3, away)

        strategy = strategies.hard_floats(rn.E4M3, specials=False)
        found = finds(strategy, differ)
        # The smallest tie: half of the smallest subnormal.
        assert found == rn.E4M3.smallest_subnormal / 2

    def test_double_rounding_is_found(self):
        """Rounding to float32 first moves a float64 onto a midpoint."""

        def differ(x):
            return rn.round_to(x, rn.E2M1) != rn.round_to(np.float32(x), rn.E2M1)

        strategy = strategies.hard_floats(rn.E2M1, specials=False, dtype=np.float64)
        assert 0 < finds(strategy, differ) < 6

    def test_overflow_is_found(self):
        none = rn.Cast(saturation=rn.Saturation.NONE)
        strategy = strategies.hard_floats(rn.E5M2, specials=False)
        found = finds(strategy, lambda x: math.isinf(rn.round_to(x, rn.E5M2, none)))
        assert found == 61440

    @QUICK
    @given(strategies.hard_floats(rn.E3M2))
    def test_are_float32(self, x):
        assert math.isnan(x) or float(np.float32(x)) == x

    def test_other_types_are_refused(self):
        with pytest.raises(TypeError, match="float32 or float64"):
            strategies.hard_floats(rn.E4M3, dtype=np.float16)


class TestArrays:
    @QUICK
    @given(strategies.arrays_near(rn.E2M1, (2, 16)))
    def test_shape_and_type(self, x):
        assert x.shape == (2, 16)
        assert x.dtype == np.float32

    def test_finds_the_rule(self):
        """FLOOR and the rule of NVIDIA differ for blocks that FLOOR saturates."""
        nvidia = rn.blocks.MXFP4_NVIDIA

        def differ(x):
            return (
                rn.quantize(x, rn.MXFP4).scales != rn.quantize(x, nvidia).scales
            ).any()

        found = finds(strategies.arrays_near(rn.E2M1, 2), differ)
        assert np.count_nonzero(found) <= 1


@settings(QUICK, max_examples=40)
@given(strategies.block_formats(), strategies.arrays_near(rn.E2M1, (16, 16)))
def test_block_formats_quantise(fmt, x):
    q = rn.quantize(x, fmt)
    assert rn.dequantize(q).shape == x.shape
