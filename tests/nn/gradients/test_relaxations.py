"""Relaxations: slopes against differences of their own surrogates, and definitions."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest

import refnum as rn
from refnum.autograd import Operation, check_gradients
from refnum.nn.gradients.estimators import DGE, GraphcoreDGE
from refnum.nn.gradients.grids import interval_of, levels_of, nearest_levels
from refnum.nn.gradients.named_relaxations import RELAXATIONS, relaxation
from refnum.nn.gradients.relaxations import STE, ClipMask, TrustMask
from refnum.nn.gradients.smooth import AsReleased, SigmoidSteps, SplineSteps

INF = float("inf")

# Without limits, so that slopes are derivatives everywhere but at kinks.
UNLIMITED = {
    "ste": STE,
    "clip": ClipMask(),
    "trust": TrustMask(),
    "trust near": TrustMask(0.3),
    "dge": DGE(cap=INF),
    "dge k=2, flat": DGE(k=2, cap=INF, ends="flat"),
    "dge k=1": DGE(k=1, cap=INF),
    "alto": DGE(cap=INF, form="alto"),
    "graphcore": GraphcoreDGE(),
    "sigmoid": SigmoidSteps(lower=0, upper=INF),
    "sigmoid T=2": SigmoidSteps(2.0, lower=0, upper=INF),
    "spline": SplineSteps(lower=0, upper=INF),
    "spline of 11": SplineSteps(11, lower=0, upper=INF),
    "as released": AsReleased(GraphcoreDGE()),
    "sigmoid as released": AsReleased(SigmoidSteps(lower=0, upper=INF)),
    "spline as released": AsReleased(SplineSteps(lower=0, upper=INF)),
}
GRIDS = {
    "e2m1": rn.E2M1,
    "e1m2": rn.E1M2,
    "e3m0": rn.E3M0,
    "int4": rn.INT4,
    "e4m3": rn.E4M3,
    "ue4m3 lowest": levels_of(rn.UE4M3, 20),
    "uneven": np.array([-1.0, 0.25, 0.5, 3.0]),
}


def kinks_of(record, levels):
    """Where a surrogate of any record may bend or jump."""
    middles = (levels[:-1] + levels[1:]) / 2
    parts = [levels, middles]
    inner = getattr(record, "relaxation", record)
    if isinstance(inner, SplineSteps):
        parts.append(np.linspace(levels[0], levels[-1], inner.samples))
    if isinstance(inner, TrustMask):
        near = np.diff(levels).max() / 2 if inner.distance is None else inner.distance
        parts += [levels - near, levels + near]
    return np.unique(np.concatenate(parts))


def smooth_points(record, levels, count=400):
    """Random values inside and outside of a grid, and a step that meets no kink."""
    rng = np.random.default_rng(0)
    part = rng.integers(0, len(levels) - 1, count)
    x = rng.uniform(levels[part], levels[part + 1])
    margin = levels[-1] - levels[0]
    x[:20] = rng.uniform(levels[0] - margin / 4, levels[0], 20)
    x[20:40] = rng.uniform(levels[-1], levels[-1] + margin / 4, 20)
    kinks = kinks_of(record, levels)
    width = np.diff(levels)[interval_of(x, levels)]
    clear = np.abs(x[:, None] - kinks).min(axis=1) > 0.02 * width
    return x[clear], 1e-4 * width[clear]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", UNLIMITED)
def test_slope_is_the_derivative_of_the_surrogate(name, grid):
    record, levels = UNLIMITED[name], levels_of(GRIDS[grid])
    x, step = smooth_points(record, levels)
    f = partial(record.surrogate, grid=GRIDS[grid])
    difference = (
        8 * (f(x + step) - f(x - step)) - f(x + 2 * step) + f(x - 2 * step)
    ) / (12 * step)
    slope = record.slope(x, GRIDS[grid])
    assert len(x) > 100
    np.testing.assert_allclose(slope, difference, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", UNLIMITED)
def test_slope_is_the_vjp_of_the_surrogate(name):
    record = UNLIMITED[name]
    rounding = Operation(
        f"rounding {name}",
        lambda x: record.surrogate(x, rn.E2M1),
        x=lambda g, x: g * record.slope(x, rn.E2M1),
    )
    x, _ = smooth_points(record, levels_of(rn.E2M1), 60)
    away = np.abs(x[:, None] - kinks_of(record, levels_of(rn.E2M1))).min(axis=1)
    check_gradients(rounding, [x[away > 0.05]], step=1e-4, tolerance=1e-5)


@pytest.mark.parametrize("name", UNLIMITED)
def test_float32_is_near_float64(name):
    record = UNLIMITED[name]
    x, _ = smooth_points(record, levels_of(rn.E2M1))
    single = x.astype(np.float32)
    for f in (record.surrogate, record.slope):
        found = f(single, rn.E2M1)
        assert found.dtype == np.float32
        wide = f(single.astype(np.float64), rn.E2M1)
        np.testing.assert_allclose(found, wide, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("grid", GRIDS)
def test_surrogates_pass_through_the_levels(grid):
    levels = levels_of(GRIDS[grid])
    for name in ("dge", "dge k=2, flat", "alto", "clip", "ste"):
        found = UNLIMITED[name].surrogate(levels, GRIDS[grid])
        np.testing.assert_allclose(found, levels, rtol=1e-12, atol=1e-12)


def wang_slope(x, k=5.0, cap=3.0):
    """The estimator's slope on E2M1, interval by interval, as its kernel tests them."""
    levels = levels_of(rn.E2M1).tolist()
    if x > 6:
        return 0.0
    low, width = -6.0, 2.0
    for left, right in pairwise(levels):
        if left <= x:
            low, width = left, right - left
    distance = abs(2 * (x - low) / width - 1)
    return cap if distance == 0 else min(distance ** (1 / k - 1) / k, cap)


def test_dge_is_the_kernel_of_wang():
    x = np.concatenate([np.linspace(-9, 9, 1801), levels_of(rn.E2M1)])
    found = DGE().slope(x, rn.E2M1)
    np.testing.assert_allclose(found, [wang_slope(v) for v in x], rtol=1e-12)


def test_ends_of_dge():
    x = np.array([-8.0, -6.5, 6.0, 6.5])
    released, flat = DGE().slope(x, rn.E2M1), DGE(ends="flat").slope(x, rn.E2M1)
    assert (released[:2] > 0).all()
    assert released[2] == flat[2] == pytest.approx(0.2)
    assert released[3] == flat[3] == 0
    assert flat[:2].tolist() == [0, 0]
    assert DGE(ends="flat").surrogate(x, rn.E2M1).tolist() == [-6, -6, 6, 6]


def test_cap_of_dge():
    middles = np.array([0.25, -2.5, 5.0])
    assert DGE().slope(middles, rn.E2M1).tolist() == [3, 3, 3]
    assert DGE(cap=7.5).slope(middles, rn.E2M1).tolist() == [7.5, 7.5, 7.5]


def test_alto_is_wang_but_for_rounding():
    x = np.random.default_rng(1).uniform(-6, 6, 1000)
    wang, alto = DGE().slope(x, rn.E2M1), DGE(form="alto").slope(x, rn.E2M1)
    np.testing.assert_allclose(wang, alto, rtol=1e-12)
    single = x.astype(np.float32)
    wang, alto = (DGE(form=f).slope(single, rn.E2M1) for f in ("wang", "alto"))
    assert (wang != alto).any()


def test_smoothing_of_dge():
    record = DGE(cap=INF, smoothing=0.1)
    at_middle = record.slope(np.array([5.0]), rn.E2M1)
    assert at_middle == pytest.approx(0.1 ** (1 / 5 - 1) / 5)


def test_graphcore_reaches_levels_only_where_they_are_two_apart():
    record = GraphcoreDGE()
    just_below = np.array([6.0, 4.0, 0.5])  # intervals of width 2, 1 and 1/2
    found = record.surrogate(just_below, rn.E2M1)
    halves = np.array([1.0, 0.5, 0.25])
    np.testing.assert_allclose(found, [4, 3, 0] + halves * (1 + halves**0.2))
    assert found[0] == 6
    assert (found[1:] != just_below[1:]).all()


def test_graphcore_in_the_middle():
    middle = np.array([0.25, 5.0])
    assert GraphcoreDGE().slope(middle, rn.E2M1).tolist() == [0, 0]
    assert np.isnan(GraphcoreDGE(middle="nan").slope(middle, rn.E2M1)).all()


def test_a_level_belongs_to_the_interval_below_in_graphcore_code():
    # 4 lies between 3 and 4 (d = 1) and between 4 and 6 (d = 2).
    found = GraphcoreDGE().slope(np.array([4.0]), rn.E2M1)
    assert found == pytest.approx(0.5 / 5 * 0.5**-0.8)


@pytest.mark.parametrize("name", ["graphcore", "sigmoid", "spline"])
def test_the_mask_as_released_is_the_wrong_way_round(name):
    inner = UNLIMITED[name]
    record = AsReleased(inner)
    inside = np.random.default_rng(2).uniform(-7, 5.999, 100)
    assert (record.slope(inside, rn.E2M1) == 1).all()
    outside = np.array([6.0, 6.1, 8.0])
    expected = inner.slope(outside, rn.E2M1)
    assert record.slope(outside, rn.E2M1).tolist() == expected.tolist()


def test_limits_of_sigmoid_and_spline():
    x = np.linspace(-6, 6, 1000)
    for record in (SigmoidSteps(), SplineSteps()):
        slope = record.slope(x, rn.E2M1)
        assert slope.min() == 0.5
        assert slope.max() <= 10000
    figure = SigmoidSteps(lower=1, upper=5).slope(x, rn.E2M1)
    assert (figure.min(), figure.max()) == (1, 5)
    assert SigmoidSteps().slope(np.array([5.0]), rn.E2M1) == 6  # 12 / 4 / T


def test_spline_is_interpolation_of_the_rounding():
    knots = np.linspace(-6, 6, 40)
    x = np.linspace(-6, 6, 1001)
    expected = np.interp(x, knots, rn.round_to(knots, rn.E2M1))
    np.testing.assert_allclose(
        SplineSteps().surrogate(x, rn.E2M1), expected, atol=1e-12
    )


def test_trust_mask_of_an_even_grid_is_quest():
    # Four bits: sixteen levels; alpha / (2^b - 1) where alpha, the clip level, is 1.
    levels = np.linspace(-1, 1, 16)
    x = np.random.default_rng(3).normal(size=500)
    moved = np.abs(nearest_levels(x, levels) - x)
    expected = moved <= 1 / 15
    clear = np.abs(moved - 1 / 15) > 1e-9
    found = TrustMask().slope(x, levels)
    assert (found[clear] == expected[clear]).all()
    assert 0 < found.mean() < 1


def test_clip_mask_at_the_ends():
    x = np.array([-6.0, 6.0, 5.0, np.nextafter(6, 7), np.nan])
    assert ClipMask().slope(x, rn.E2M1).tolist() == [1, 1, 1, 0, 0]
    assert ClipMask(inclusive=False).slope(x, rn.E2M1).tolist() == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("name", RELAXATIONS)
def test_names(name):
    record = relaxation(name)
    assert record == relaxation(name)
    assert hash(record) == hash(relaxation(name))
    assert record.slope(np.float32([0.3]), rn.E2M1).shape == (1,)
    with pytest.raises(ValueError, match="no options"):
        relaxation(name, no_such_field=1)


def test_unknown_name():
    with pytest.raises(ValueError, match="try dge"):
        relaxation("dg")


BAD = {
    "k below 1": lambda: DGE(k=0.5),
    "k nan": lambda: DGE(k=float("nan")),
    "cap": lambda: DGE(cap=0),
    "ends": lambda: DGE(ends="none"),
    "form": lambda: DGE(form="other"),
    "smoothing": lambda: DGE(smoothing=-1),
    "k infinite": lambda: GraphcoreDGE(k=INF),
    "middle": lambda: GraphcoreDGE(middle="one"),
    "temperature": lambda: SigmoidSteps(0.0),
    "limits": lambda: SigmoidSteps(lower=2, upper=1),
    "samples": lambda: SplineSteps(1),
    "lower": lambda: SplineSteps(lower=-1),
    "distance": lambda: TrustMask(0.0),
    "one level": lambda: levels_of([1.0]),
    "equal levels": lambda: levels_of([1.0, 1.0]),
    "matrix": lambda: levels_of([[1.0, 2.0]]),
    "infinite level": lambda: levels_of([1.0, INF]),
    "wide format": lambda: levels_of(rn.FP32),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_records_and_grids(name):
    with pytest.raises(ValueError, match=r"\S"):
        BAD[name]()


@pytest.mark.parametrize("name", UNLIMITED)
def test_bad_values(name):
    for f in (UNLIMITED[name].surrogate, UNLIMITED[name].slope):
        with pytest.raises(TypeError, match="float32 or float64"):
            f(np.array([1, 2]), rn.E2M1)
        assert f(np.empty((0, 3), np.float32), rn.E2M1).shape == (0, 3)
        f(np.float32([np.inf, -np.inf, np.nan, 0.0]), rn.E2M1)  # no warning
