"""Tables, fixed point and error bounds, each against mpmath."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from refnum.elementary import (
    error_function,
    exponentials,
    fixed,
    hyperbolic,
    logarithms,
    trigonometric,
)
from refnum.elementary.definition import (
    correctly_rounded,
    nearest_float32,
    nearest_float32_to_ratio,
)

from ._functions import QUICK
from ._judge import JUDGES, fraction, judged, rounded


def to_float64(value: mpmath.mpf) -> float:
    """Round once: mpmath's own conversion would cut subnormals twice."""
    return float(fraction(value)) if value else 0.0


def sample(name: str, count: int) -> np.ndarray:
    """Return inputs that are evaluated, of all magnitudes and near one."""
    rng = np.random.default_rng(len(name))
    anything = rng.integers(1 << 32, size=40 * count, dtype=np.uint32).view(np.float32)
    near = (1 + 0.02 * rng.standard_normal(count)).astype(np.float32)
    small = rng.standard_normal(count).astype(np.float32)
    outside, clamp = QUICK[name].outside, np.float32(QUICK[name].clamp)
    anything, near, small = (
        part[~outside(part.view(np.uint32))][:count] for part in (anything, near, small)
    )
    return np.clip(np.concatenate([anything, near, small]), -clamp, clamp)


@pytest.mark.parametrize("name", QUICK)
def test_quick_errs_half_as_much_as_is_allowed(name):
    x = sample(name, 400).astype(np.float64)
    value = QUICK[name].quick(x.copy())
    with mpmath.workprec(300):
        for one, quick in zip(x.tolist(), value.tolist(), strict=True):
            true = JUDGES[name](mpmath.mpf(one))
            bound = abs(true) * QUICK[name].error / 2
            assert abs(quick - true) <= bound, one.hex()


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("p", [64, 300])
def test_fixed_point_is_within_one_unit(name, p):
    with mpmath.workprec(900):
        for x in sample(name, 60).tolist():
            true = JUDGES[name](mpmath.mpf(x)) * mpmath.mpf(2) ** p
            assert abs(getattr(fixed, name)(x, p) - true) <= 1 + 2.0**-60, x.hex()


@pytest.mark.parametrize("name", QUICK)
def test_exact_phase_rounds_correctly(name):
    for x in sample(name, 30).tolist():
        assert correctly_rounded(getattr(fixed, name), x) == judged(name, x)


@pytest.mark.parametrize("p", [10, 128, 700])
def test_constants(p):
    with mpmath.workprec(p + 100):
        for constant, true in ((fixed.ln2, mpmath.ln2), (fixed.pi, mpmath.pi)):
            assert abs(constant(p) - true * mpmath.mpf(2) ** p) <= 1


def test_tables_of_powers():
    table, missing = exponentials.power_tables()
    with mpmath.workprec(300):
        true = [mpmath.power(2, mpmath.mpf(i) / 128) for i in range(128)]
        assert table.tolist() == [to_float64(t) for t in true]
        for value, miss, t in zip(table.tolist(), missing.tolist(), true, strict=True):
            assert abs(miss - (t - value) / t) <= mpmath.mpf(2) ** -104
        step = exponentials._STEP + mpmath.mpf(exponentials._STEP_REST)
        assert abs(step - mpmath.ln2 / 128) < mpmath.mpf(2) ** -97
        assert int(exponentials._STEP * 2**45) < 2**38


def test_tables_of_tanh():
    values = hyperbolic.tanh_table()
    with mpmath.workprec(300):
        true = [mpmath.tanh(mpmath.mpf(i) / 64) for i in range(len(values))]
        assert values.tolist() == [to_float64(t) for t in true]


def test_tables_of_logarithms():
    reciprocals, logarithms_ = logarithms.reciprocal_tables()
    assert (reciprocals * 1024 == np.rint(reciprocals * 1024)).all()
    assert reciprocals.size == 128
    with mpmath.workprec(300):
        true = [to_float64(-mpmath.log(mpmath.mpf(c))) for c in reciprocals.tolist()]
    assert logarithms_.tolist() == true


def test_tables_of_erf():
    tables = error_function.taylor_tables()
    with mpmath.workprec(300):
        for i in range(0, len(tables[0]), 9):
            true = mpmath.taylor(mpmath.erf, mpmath.mpf(i) / 128, len(tables) - 1)
            assert tables[0][i] == to_float64(true[0])
            assert tables[1][i] == to_float64(true[1])
            for n, table in enumerate(tables):
                assert abs(table[i] - true[n]) <= 2.0**-51, (i, n)


def test_tables_of_the_circle():
    sine, cosine = trigonometric.circle_tables()
    with mpmath.workprec(300):
        for i in range(256):
            assert sine[i] == to_float64(mpmath.sinpi(mpmath.mpf(i) / 128))
            assert cosine[i] == to_float64(mpmath.cospi(mpmath.mpf(i) / 128))


def test_tables_of_turns():
    high, low = trigonometric.turn_tables()
    with mpmath.workprec(700):
        for field in range(255):
            turns = mpmath.mpf(2) ** (field - 150) / (2 * mpmath.pi)
            cut = int(mpmath.floor((turns - mpmath.floor(turns)) * 2**104))
            assert (int(high[field]) << 40) + int(low[field]) == cut


def test_nearest_float32_of_dyadics():
    rng = np.random.default_rng(0)
    for n in [*rng.integers(1, 2**62, 300).tolist(), 2**24 + 1, 3, 2**25 - 1]:
        for p in (-100, -66, 0, 30, 149, 150, 174, 200):
            expected = rounded(Fraction(n) / Fraction(2) ** p)
            assert nearest_float32(n, p) == expected
            assert nearest_float32(-n, p) == -expected
    assert nearest_float32(0, 5) == 0


def test_nearest_float32_of_fractions():
    for n in (1, 3, 2**24 + 1, 10**20, 7**50):
        for d in (1, 3, 2**25, 2**150, 10**40, 7**60):
            for ratio in (Fraction(n, d), Fraction(-n, d)):
                assert nearest_float32_to_ratio(ratio) == rounded(ratio)
