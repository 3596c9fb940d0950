"""Delayed and held largest magnitudes: against lists, and from a file."""

import numpy as np
import pytest

from refnum.nn.states.amax import DelayedAmax, HeldAmax


def magnitudes(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.abs(rng.standard_cauchy(count)).astype(np.float32)


@pytest.mark.parametrize("interval", [1, 3, 50])
@pytest.mark.parametrize("first", [0, 1])
def test_held_is_the_last_sample(interval, first):
    amax = magnitudes(120)
    held = HeldAmax(interval, first)
    for step in range(first, 120):
        sample = step - (step - first) % interval
        assert held.needs(step) == (sample == step)
        assert held.reference(amax[step], step) == amax[sample]


def test_micro_batches_share_the_sample_of_the_first():
    held = HeldAmax(2)
    found = [
        held.reference(a, step) for step, a in [(0, 3), (0, 9), (1, 9), (2, 4), (2, 9)]
    ]
    assert found == [3, 3, 3, 4, 4]


def test_held_from_a_late_start():
    held = HeldAmax(50)
    found = [
        held.reference(a, step) for step, a in [(17, 3), (18, 4), (50, 5), (51, 6)]
    ]
    assert found == [3, 3, 5, 5]


@pytest.mark.parametrize("choice", ["max", "last"])
@pytest.mark.parametrize("window", [1, 2, 16])
def test_delayed_is_of_the_steps_before(window, choice):
    amax = magnitudes(60)
    delayed = DelayedAmax(window, choice)
    assert delayed.reference(amax[0], 0) == amax[0]
    for step in range(1, 60):
        past = amax[max(0, step - window) : step]
        expected = past.max() if choice == "max" else past[-1]
        assert delayed.reference(amax[step], step) == expected


def test_micro_batches_count_as_one_step():
    delayed = DelayedAmax(1)
    found = [
        delayed.reference(a, s) for s, a in [(0, 3), (0, 7), (0, 5), (1, 1), (2, 9)]
    ]
    assert found == [3, 7, 7, 7, 1]


@pytest.mark.parametrize("make", [HeldAmax, DelayedAmax])
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_what_is_not_finite_is_not_kept(make, bad):
    state = make(2)
    assert not np.isfinite(state.reference(bad, 0))  # there is nothing else
    assert state.reference(3.0, 1) == 3
    assert state.reference(bad, 2) == 3
    assert state.reference(bad, 3) == 3
    assert state.reference(5.0, 4) == {HeldAmax: 5, DelayedAmax: 3}[make]
    assert state.reference(1.0, 5) == 5


@pytest.mark.parametrize("at", range(9))
@pytest.mark.parametrize("name", ["held", "delayed", "last"])
def test_states_resume(name, at):
    make = {
        "held": lambda: HeldAmax(4),
        "delayed": lambda: DelayedAmax(3),
        "last": lambda: DelayedAmax(3, "last"),
    }[name]
    amax, whole, part = magnitudes(24), make(), make()
    found = []
    for call in range(24):
        step = call // 2  # two micro-batches
        if call == at:
            saved = part.state()
            part = make()
            part.load_state(saved)
            for array in saved.values():
                array[...] = 0  # the state holds copies
        found.append(part.reference(amax[call], step))
        assert found[-1] == whole.reference(amax[call], step)
    assert len(set(found)) >= 3


def test_wrong_arguments():
    for make in (HeldAmax, DelayedAmax):
        with pytest.raises(ValueError, match="must be 1 or more"):
            make(0)
        state = make(2)
        for amax in (-1.0, [1.0], "1"):
            with pytest.raises(ValueError, match="amax must"):
                state.reference(amax, 0)
        state.reference(1.0, 4)
        with pytest.raises(ValueError, match="from 4 to 3"):
            state.reference(1.0, 3)
        with pytest.raises(ValueError, match="is needed"):
            state.load_state({"other": np.zeros(1)})
    with pytest.raises(ValueError, match="ring must be"):
        DelayedAmax(3).load_state(DelayedAmax(4).state())
    with pytest.raises(ValueError, match="choice"):
        DelayedAmax(3, "mean")
