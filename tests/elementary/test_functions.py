"""Every function against mpmath: ordinary, hard and special inputs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnum import elementary
from refnum.elementary.evaluate import evaluate

from ._functions import QUICK
from ._hard_cases import HARD_CASES
from ._judge import JUDGES, judged
from ._sweep import REFERENCES, sweep

INF, NAN = np.inf, np.nan
NAMES = sorted(JUDGES)
# Each function's edges: overflow, underflow, where it turns into its argument or one.
EDGES = (
    *(2.0**e for e in range(-149, 128, 4)),
    *(2.0**-12, 2.0**-24, 2.0**-25, 2.0**-126, 1 - 2**-24, 1 + 2**-23, 1 / 128),
    *(9.01, 9.25, 3.92, 3.9375, 16.6, 17.33, 88.72284, 103.97208, 104, 127.99999, 128),
    *(
        149,
        149.5,
        150,
        0.6931472,
        1.5707964,
        3.1415927,
        16367173 * 2.0**72,
        3.4028235e38,
    ),
)

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def in_domain(name: str, x: float) -> bool:
    if name in ("log", "rsqrt"):
        return x > 0
    return x >= 0 if name == "sqrt" else x > -1 or name != "log1p"


def assert_judged(name: str, values: np.ndarray) -> None:
    inputs = np.array([x for x in values.tolist() if in_domain(name, x)], np.float32)
    expected = np.array([judged(name, x) for x in inputs.tolist()], np.float32)
    actual = getattr(elementary, name)(inputs)
    np.testing.assert_array_equal(actual.view(np.uint32), expected.view(np.uint32))


def with_neighbours(values: np.ndarray) -> np.ndarray:
    bits = values.astype(np.float32).view(np.uint32).astype(np.int64)
    around = (bits[:, None] + np.arange(-2, 3)).ravel()
    floats = around.astype(np.uint32).view(np.float32)
    return floats[np.isfinite(floats)]


@pytest.mark.parametrize("name", NAMES)
def test_edges_and_their_neighbours(name):
    edges = with_neighbours(np.array(EDGES))
    assert_judged(name, np.concatenate([edges, -edges]))


@pytest.mark.parametrize("name", HARD_CASES)
def test_hard_cases(name):
    x = np.array(HARD_CASES[name], np.uint32).view(np.float32)
    assert_judged(name, x)
    if name in ("cos", "erf", "sin", "tanh"):
        assert_judged(name, -x)


@pytest.mark.parametrize("name", HARD_CASES)
def test_hard_cases_reach_the_exact_phase(name):
    """Without it, the quick phase would leave the rounding to chance."""
    function = QUICK[name]
    seen = []
    spy = replace(function, exact=lambda x: seen.append(x) or function.exact(x))
    x = np.array(HARD_CASES[name], np.uint32).view(np.float32)
    evaluate(spy, x)
    assert sorted(seen) == sorted(x.tolist())


@pytest.mark.parametrize("name", NAMES)
@given(x=finite)
def test_any_number(name, x):
    assert_judged(name, np.array([x], np.float32))


@pytest.mark.parametrize("name", REFERENCES)
def test_a_sample_of_all_inputs(name):
    checked, _, wrong = sweep(name, step=8191, start=17)
    assert checked > 2**19
    assert wrong == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", REFERENCES)
def test_all_inputs(name, record_property):
    checked, judged_count, wrong = sweep(name)
    record_property("judged by mpmath", judged_count)
    assert checked == 2**32
    assert [hex(bits) for bits in wrong] == []


# IEEE 754-2019, 9.2.1; sqrt: 6.3 and 7.2. In order: -inf, -1, -0, +0, +inf, NaN.
SPECIAL = {
    "exp": (0, 0.36787945, 1, 1, INF, NAN),
    "exp2": (0, 0.5, 1, 1, INF, NAN),
    "expm1": (-1, -0.63212055, -0.0, 0, INF, NAN),
    "log": (NAN, NAN, -INF, -INF, INF, NAN),
    "log1p": (NAN, -INF, -0.0, 0, INF, NAN),
    "tanh": (-1, -0.7615942, -0.0, 0, 1, NAN),
    "erf": (-1, -0.8427008, -0.0, 0, 1, NAN),
    "sigmoid": (0, 0.26894143, 0.5, 0.5, 1, NAN),
    "sqrt": (NAN, NAN, -0.0, 0, INF, NAN),
    "rsqrt": (NAN, NAN, -INF, INF, 0, NAN),
    "sin": (NAN, -0.84147096, -0.0, 0, NAN, NAN),
    "cos": (NAN, 0.5403023, 1, 1, NAN, NAN),
}


@pytest.mark.parametrize("name", NAMES)
def test_special_values(name):
    x = np.array([-INF, -1, -0.0, 0, INF, NAN], np.float32)
    expected = np.array(SPECIAL[name], np.float32)
    actual = getattr(elementary, name)(x)
    np.testing.assert_array_equal(actual.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("name", NAMES)
def test_every_nan_becomes_the_same(name):
    bits = np.array([0x7F800001, 0x7FFFFFFF, 0xFFC00000, 0xFF800001], np.uint32)
    actual = getattr(elementary, name)(bits.view(np.float32))
    assert actual.view(np.uint32).tolist() == [0x7FC00000] * 4


# Correct rounding keeps order, so what rises must not fall between neighbours.
RISING = ("exp", "exp2", "expm1", "log", "log1p", "tanh", "erf", "sigmoid", "sqrt")


STARTS = (-20, -1, -1e-3, 1e-30, 1e-3, 0.5, 0.9999, 3, 88)


@pytest.mark.parametrize(
    ("name", "start"),
    [(name, start) for name in RISING for start in STARTS if in_domain(name, start)],
)
def test_monotone(name, start):
    first = int(np.float32(abs(start)).view(np.uint32))
    x = np.arange(first, first + 20_000, dtype=np.uint32).view(np.float32)
    x = np.sort(np.copysign(x, np.float32(start)))
    result = getattr(elementary, name)(x)
    assert (result[1:] >= result[:-1]).all()


@pytest.mark.parametrize("name", ["tanh", "erf", "sin"])
@given(x=finite)
def test_odd(name, x):
    function = getattr(elementary, name)
    assert function(np.float32(-x)) == -function(np.float32(x))
