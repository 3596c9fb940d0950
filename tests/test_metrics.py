"""Measures of error against exact sums, and shares of codes against decoding."""

from fractions import Fraction
from math import inf, isclose, log2, log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import refnum as rn
from refnum import metrics

MEASURES = [
    metrics.relative_mse,
    metrics.sqnr,
    metrics.effective_bits,
    metrics.misalignment,
    metrics.slope,
]
SHARES = [metrics.saturated_share, metrics.zero_share, metrics.subnormal_share]
FORMATS = [rn.E2M1, rn.E4M3, rn.E5M2, rn.E4M3FNUZ, rn.UE8M0, rn.UE5M3, rn.INT8, rn.BF16]


def normals(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def exact_sums(x, y):
    """Squared reference, squared error, reference times error."""
    pairs = [
        (Fraction(float(a)), Fraction(float(b))) for a, b in zip(x, y, strict=True)
    ]
    return (
        sum(a * a for a, _ in pairs),
        sum((a - b) ** 2 for a, b in pairs),
        sum(a * (a - b) for a, b in pairs),
    )


floats = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6)


@given(hnp.arrays(np.float64, (2, 7), elements=floats))
def test_measures_are_their_definitions(pair):
    x, y = pair
    norm, error, lacking = exact_sums(x, y)
    if norm == 0:
        return
    assert isclose(metrics.relative_mse(x, y), error / norm, rel_tol=1e-14)
    cancelled = sum(abs(a * (a - b)) for a, b in zip(x, y, strict=True)) / float(norm)
    slack = 1e-14 * max(1.0, cancelled)
    assert isclose(metrics.misalignment(x, y), lacking / norm, abs_tol=slack)
    assert isclose(metrics.slope(x, y), 1 - lacking / norm, abs_tol=slack)
    if error:
        assert isclose(metrics.sqnr(x, y), -10 * log10(error / norm), abs_tol=1e-12)
        bits = -log2(error / norm) / 2
        assert isclose(metrics.effective_bits(x, y), bits, abs_tol=1e-12)


def test_equal_and_missing_values():
    x = normals(100)
    assert [f(x, x) for f in MEASURES] == [0, inf, inf, 0, 1]
    assert [f(x, 0 * x) for f in MEASURES] == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("exponent", [-1000, -300, 300, 1000])
def test_powers_of_two_cancel(exponent):
    x, y = normals(2, 5000).astype(np.float64)
    scaled = np.ldexp(x, exponent), np.ldexp(y, exponent)
    assert [f(*scaled) for f in MEASURES] == [f(x, y) for f in MEASURES]


@pytest.mark.parametrize("shape", [(100001,), (300, 401), (7, 33, 500)])
def test_layout_does_not_matter(shape):
    x, y = normals(*shape, seed=1), normals(*shape, seed=2)
    expected = [f(x, y) for f in MEASURES]
    for same in (
        np.asfortranarray(x),
        x.astype(">f4"),
        x.astype(np.float64),
        np.repeat(x, 2, axis=-1)[..., ::2],
        x[::-1].copy()[::-1],
    ):
        assert [f(same, y) for f in MEASURES] == expected
        assert [f(x, y) for f in MEASURES] == expected


def test_a_rounding_that_shrinks():
    x = normals(1 << 16)
    truncated = rn.round_to(x, rn.E4M3, rn.Cast(rounding=rn.Rounding.TOWARD_ZERO))
    assert metrics.misalignment(x, truncated) > 0.02
    assert metrics.slope(x, truncated) < 0.98
    nearest = rn.round_to(x, rn.E4M3)
    assert abs(metrics.misalignment(x, nearest)) < 1e-3


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_shares_are_those_of_the_values(fmt):
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 1 << fmt.bits, (7, 9001)).astype(fmt.dtype)
    magnitude = np.abs(rn.decode(codes, fmt, np.float64))
    counts = metrics.code_histogram(codes, fmt)
    assert counts.shape == (1 << fmt.bits,)
    for code in (0, 1, fmt.max_code, (1 << fmt.bits) - 1):
        assert counts[code] == np.count_nonzero(codes == code)
    assert counts.sum() == codes.size
    assert metrics.saturated_share(codes, fmt) == np.mean(magnitude >= fmt.max)
    assert metrics.zero_share(codes, fmt) == np.mean(magnitude == 0)
    subnormal = (magnitude != 0) & (magnitude < fmt.smallest_normal)
    assert metrics.subnormal_share(codes, fmt) == np.mean(subnormal)
    transposed = np.asfortranarray(codes)
    assert np.array_equal(metrics.code_histogram(transposed, fmt), counts)


def test_no_codes_are_counted_but_have_no_share():
    assert metrics.code_histogram([], rn.E2M1).tolist() == [0] * 16
    for share in SHARES:
        with pytest.raises(ValueError, match="no codes"):
            share([], rn.E2M1)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("x", "y", "error", "words"),
    [
        ([1.0], [1.0, 2.0], ValueError, r"\(1,\), the values \(2,\)"),
        ([], [], ValueError, "no elements"),
        ([0.0], [1.0], ValueError, "all zero"),
        ([np.nan], [1.0], ValueError, "the reference must be finite"),
        ([1.0], [np.inf], ValueError, "the values must be finite"),
        ([1j], [1.0], TypeError, "complex"),
        ([1.0], ["a"], TypeError, "values must be real"),
    ],
    ids=lambda value: None,
)
def test_bad_input(measure, x, y, error, words):
    with pytest.raises(error, match=words):
        measure(x, y)


@pytest.mark.parametrize("count", [metrics.code_histogram, *SHARES])
def test_bad_codes(count):
    with pytest.raises(ValueError, match="code 16 does not fit the 4 bits of e2m1"):
        count([16], rn.E2M1)
    with pytest.raises(ValueError, match="code -1 does"):
        count([-1], rn.E2M1)
    with pytest.raises(TypeError, match="float64"):
        count([1.0], rn.E2M1)
    with pytest.raises(ValueError, match="at most 16"):
        count([1], rn.FP32)
