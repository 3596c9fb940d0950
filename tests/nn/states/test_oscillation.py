"""Oscillating weights: averages, resets, periods, against scalar definitions."""

import math

import numpy as np
import pytest

import refnum as rn
from refnum.nn.gradients.block_pass import element_steps
from refnum.nn.gradients.grids import levels_of
from refnum.nn.states.bin_edges import bin_edge_reset, bin_widths
from refnum.nn.states.oscillation import AveragedWeight, round_towards_average
from refnum.nn.states.oscillation_reset import OscillationReset, ResetState, Travel
from refnum.nn.states.ramping import Ramping, RampingState

RESET = OscillationReset(first=20, period=10, steps=5, threshold=4)


def walk(steps, shape=(3, 32), seed=0):
    """A weight on its way, and its quantised values."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=shape)
    for _ in range(steps):
        single = w.astype(np.float32)
        yield single, rn.dequantize(rn.quantize(single, rn.MXFP4))
        w = w + 0.02 * rng.normal(size=shape)


def test_average():
    state = AveragedWeight(np.float32([1.0, -2.0]), decay=0.999)
    expected = [np.float32(1.0), np.float32(-2.0)]
    for step in range(12):
        assert state.ready == (step >= 10)
        w = np.float32([step, 0.3])
        state.update(w)
        for k in range(2):
            kept = np.float32(expected[k] * np.float32(0.999))
            expected[k] = np.float32(kept + np.float32(w[k] * np.float32(1 - 0.999)))
    assert state.average.tolist() == expected


def test_average_does_not_share_memory():
    w = np.float32([1.0])
    state = AveragedWeight(w)
    w[0] = 5
    saved = state.state()
    state.update(w)
    assert saved["average"] == 1


def test_rounding_towards_the_average():
    levels = levels_of(rn.E2M1).tolist()
    rng = np.random.default_rng(0)
    w = rng.uniform(-7, 7, 500).astype(np.float32)
    average = (w + rng.normal(size=500) * 0.5).astype(np.float32)
    w[:15] = levels
    found = round_towards_average(w, average, rn.E2M1)
    for value, mean, chosen in zip(w.tolist(), average.tolist(), found, strict=True):
        if abs(value) >= 6:
            assert chosen == math.copysign(6, value)
            continue
        low = max(level for level in levels if level <= value)
        high = levels[levels.index(low) + 1]
        assert chosen == (high if mean >= (low + high) / 2 else low)


def test_half_way_is_up():
    w, half = np.float32([2.1, -2.9, 0.3]), np.float32([2.5, -2.5, 0.25])
    assert round_towards_average(w, half, rn.E2M1).tolist() == [3, -2, 0.5]


def test_own_value_as_average_is_nearest_rounding():
    w = np.random.default_rng(0).uniform(-6, 6, 1000).astype(np.float32)
    up = rn.Cast(rn.Rounding.NEAREST_UP)
    found = round_towards_average(w, w, rn.E2M1)
    assert np.array_equal(found, rn.round_to(w, rn.E2M1, up))


def test_travel_is_the_ratio_of_sums():
    path = list(walk(8))
    travel = Travel(path[0][0].shape)
    travel.start(*path[0])
    for w, q in path[1:]:
        travel.move(w, q)
    (w, q) = (np.stack([p[k] for p in path]).astype(np.float64) for k in (0, 1))
    ways = [np.abs(np.diff(a, axis=0)).sum(axis=0) for a in (q, w)]
    np.testing.assert_allclose(travel.ratio, ways[0] / ways[1], rtol=1e-5)
    assert (travel.ratio == 0).any()
    assert (travel.ratio > 2).any()


def test_standing_still_is_no_oscillation():
    travel = Travel((2,))
    travel.start(np.float32([1, 1]), np.float32([1, 1]))
    travel.move(np.float32([1, 1.5]), np.float32([2, 2]))
    assert travel.ratio.tolist() == [0, 2]


def test_looks_come_at_multiples_of_the_period():
    state = ResetState((3, 32), RESET)
    path = list(walk(60))
    for step, (w, q) in enumerate(path):
        assert state.wants(step) == (step >= 20 and step % 10 <= 6)
        mask = state.advance(w, q, step)
        assert (mask is None) == (step % 10 != 6 or step < 20)
        if mask is not None:
            travel = Travel(w.shape)
            travel.start(*path[step - 6])
            for seen in path[step - 5 : step]:
                travel.move(*seen)
            assert np.array_equal(mask, travel.ratio >= 4)
            assert 0 < mask.mean() < 0.5


def test_a_start_between_two_looks_waits_for_the_next():
    state = ResetState((3, 32), OscillationReset(first=23, period=10, steps=5))
    for step, (w, q) in enumerate(walk(40)):
        mask = state.advance(w, q, step)
        assert (mask is not None) == (step == 36)


def test_a_reset_weight_is_quantised_to_itself():
    w, q = next(walk(1))
    mask = np.random.default_rng(0).random(w.shape) < 0.3
    mask &= np.abs(w) < np.abs(w).max(axis=-1, keepdims=True)  # scales stay
    after = np.where(mask, q, w)
    assert np.array_equal(rn.dequantize(rn.quantize(after, rn.MXFP4))[mask], q[mask])


def test_bin_widths_of_e2m1():
    widths = {0: 0.5, 0.5: 0.5, 1: 0.5, 1.5: 0.5, 2: 0.75, 3: 1, 4: 1.5, 6: 2}
    levels = np.float32(list(widths))
    for sign in (1, -1):
        assert bin_widths(sign * levels, rn.E2M1).tolist() == list(widths.values())
    assert bin_widths(np.float32([1.001, 2.999]), rn.E2M1).tolist() == [0.5, 1]


def test_bin_edge_reset():
    w, q = next(walk(1, (64, 32)))
    steps = element_steps(rn.quantize(w, rn.MXFP4))
    after, reset = bin_edge_reset(w, q, steps, rn.E2M1, edge=0.45)
    away = np.abs(w / steps - q / steps)
    for value, level, mask in zip(away.flat, (q / steps).flat, reset.flat, strict=True):
        width = bin_widths(np.float32([level]), rn.E2M1)[0]
        assert mask == (value > width * np.float32(0.45))
    assert np.array_equal(after[reset], q[reset])
    assert np.array_equal(after[~reset], w[~reset])
    assert 0.01 < reset.mean() < 0.2


def test_bin_edges_of_a_zero_block():
    zeros = np.zeros(3, np.float32)
    after, reset = bin_edge_reset(zeros, zeros, zeros, rn.E2M1)
    assert not reset.any()
    assert np.array_equal(after, zeros)


def test_periods():
    ratios = np.float32([0, 1, 15.99, 16, 31, 32, 100])
    expected = [math.floor(r / 16) * 5 + 1 for r in ratios]
    assert Ramping().periods(ratios).tolist() == expected
    assert Ramping(longest=8).periods(ratios).tolist() == [min(p, 8) for p in expected]


def test_gathered_gradients():
    state = RampingState((3, 32), Ramping(steps=6, unit=1.0, growth=1))
    for w, q in walk(7):
        assert not state.calibrated
        state.calibrate(w, q)
        update = state.gather(np.ones_like(w))
        if not state.calibrated:
            assert update.due.all()
    assert len(np.unique(state.period)) > 2
    rng = np.random.default_rng(0)
    state = resumed(state, RampingState((3, 32), state.rule))
    pending = [[] for _ in range(96)]
    for _ in range(12):
        g = rng.normal(size=(3, 32)).astype(np.float32)
        update = state.gather(g)
        for k in range(96):
            pending[k].append(g.flat[k])
            period = state.period.flat[k]
            if len(pending[k]) < period:
                assert not update.due.flat[k]
                assert update.gradient.flat[k] == update.factor.flat[k] == 0
                continue
            assert update.due.flat[k]
            assert update.factor.flat[k] == period
            total = np.float32(0)
            for one in pending[k]:
                total = np.float32(total + one)
            assert update.gradient.flat[k] == np.float32(total / np.float32(period))
            pending[k] = []


def resumed(state, fresh):
    """The state in a new object; counts of gathered gradients begin anew."""
    saved = state.state()
    saved["gathered"][...] = 0
    saved["count"][...] = 0
    fresh.load_state(saved)
    return fresh


def test_calibration_ends():
    state = RampingState((3, 32), Ramping(steps=2))
    path = list(walk(4))
    for w, q in path[:3]:
        state.calibrate(w, q)
    with pytest.raises(ValueError, match="is over"):
        state.calibrate(*path[3])


MAKERS = {
    "average": lambda: AveragedWeight(np.zeros((3, 32), np.float32), 0.9),
    "reset": lambda: ResetState((3, 32), OscillationReset(first=0, period=9, steps=5)),
    "ramping": lambda: RampingState((3, 32), Ramping(steps=8, unit=1.0, growth=1)),
}


def advance(state, w, q, step):
    """One step of any state; its arrays afterwards."""
    if isinstance(state, AveragedWeight):
        state.update(w)
    elif isinstance(state, ResetState):
        state.advance(w, q, step)
    else:
        if not state.calibrated:
            state.calibrate(w, q)
        state.gather(w - q)
    return {k: (v.dtype, v.shape, v.tobytes()) for k, v in state.state().items()}


@pytest.mark.parametrize("at", [0, 1, 4, 7, 8, 9, 12])
@pytest.mark.parametrize("name", MAKERS)
def test_states_resume_to_the_same_bits(name, at):
    whole, part = MAKERS[name](), MAKERS[name]()
    for step, (w, q) in enumerate(walk(14)):
        if step == at:
            saved = part.state()
            part = MAKERS[name]()
            part.load_state(saved)
            for array in saved.values():
                array[...] = 0  # the state holds copies
        assert advance(part, w, q, step) == advance(whole, w, q, step)


@pytest.mark.parametrize("name", MAKERS)
def test_wrong_states(name):
    state = MAKERS[name]()
    saved = state.state()
    with pytest.raises(ValueError, match="is needed"):
        state.load_state({})
    for key, array in saved.items():
        with pytest.raises(ValueError, match=f"{key} must be"):
            state.load_state(saved | {key: np.zeros((2, *array.shape), array.dtype)})
        with pytest.raises(ValueError, match=f"{key} must be"):
            state.load_state(saved | {key: array.astype(complex)})


BAD = {
    "decay": lambda: AveragedWeight(np.zeros(1, np.float32), 1.0),
    "warm_up": lambda: AveragedWeight(np.zeros(1, np.float32), 0.9, -1),
    "period": lambda: OscillationReset(period=51, steps=50),
    "first": lambda: OscillationReset(first=-1),
    "threshold": lambda: OscillationReset(threshold=0),
    "steps": lambda: Ramping(steps=0),
    "unit": lambda: Ramping(unit=0),
    "longest": lambda: Ramping(longest=0),
    "must be finite": lambda: Ramping().periods(np.float32([np.nan])),
    "has shape": lambda: AveragedWeight(np.zeros(1, np.float32)).update(
        np.zeros(2, np.float32)
    ),
    "edge": lambda: bin_edge_reset(*[np.float32([1])] * 3, rn.E2M1, edge=0),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_arguments(name):
    with pytest.raises(ValueError, match=name):
        BAD[name]()


def test_wrong_types():
    with pytest.raises(TypeError, match="float32"):
        AveragedWeight(np.zeros(1))
    with pytest.raises(TypeError, match="float32"):
        round_towards_average(np.zeros(1), np.zeros(1), rn.E2M1)
    with pytest.raises(TypeError, match="float32"):
        RampingState((1,)).gather(np.zeros(1))
