"""What recipes do to master weights around updates, against plain loops."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import recipes
from refnum.autograd import Stream, Tensor
from refnum.nn import SGD, AdamW, Linear, gradients_of, parameters, quantize_model
from refnum.recipes import Operand, OscillationReset, Ramping, Schedule, Switch

SIZE, STEPS = 32, 12
RAMPING = Ramping(steps=4, unit=0.5, growth=2, longest=5)
RESET = OscillationReset(first=2, period=7, steps=3, threshold=2.0)


def recipe(upkeep):
    found = recipes.get("tetrajet")
    return replace(found, overrides=(), upkeep=upkeep, name="with upkeep")


class Training:
    """A layer that is pushed about by gradients of its own random inputs."""

    def __init__(self, upkeep, optimizer=SGD):
        self.layer = Linear(SIZE, SIZE, Stream(3))
        self.quantization = quantize_model(self.layer, recipe(upkeep), seed=1)
        self.found = parameters(self.layer)
        self.optimizer = optimizer(self.found)
        self.step = 0

    def gradients(self, step):
        self.quantization.begin(step)
        x = Tensor(Stream(5, step, "x").normal((SIZE, SIZE)))
        loss = (self.layer(x) * Tensor(Stream(6, step, "y").normal((SIZE, SIZE)))).sum()
        return gradients_of(loss, self.found)

    def go(self, steps):
        for _ in range(steps):
            self.step += 1
            gradients = self.gradients(self.step)
            self.quantization.update(self.optimizer, gradients, 0.003)
        return self.layer.weight.data.copy()


def rounded(weight):
    return rn.blocks.fake_quantize(weight, recipes.get("tetrajet").fprop_w.format)


def way(path):
    return np.abs(np.diff(np.stack(path), axis=0)).sum(0)


def test_without_upkeep_update_is_the_optimizers_step():
    one, other = Training(None, AdamW), Training(None, AdamW)
    found = one.go(3)
    for step in range(1, 4):
        other.optimizer.step(other.gradients(step), 0.003)
    assert np.array_equal(found, other.layer.weight.data)


def test_ramping_gathers_gradients_over_periods():
    training = Training(RAMPING)
    path = [training.layer.weight.data.copy()]
    path += [training.go(1) for _ in range(RAMPING.steps)]
    plain = Training(None)
    assert np.array_equal(plain.go(RAMPING.steps), path[-1])
    quantized = [rounded(w) for w in path]
    ratio = way(quantized) / np.where(way(path) == 0, 1, way(path))
    period = np.minimum(np.floor(ratio / 0.5).astype(int) * 2 + 1, 5)
    assert set(np.unique(period)) >= {1, 3, 5}

    weight, sums = path[-1].astype(float), np.zeros((SIZE, SIZE))
    count = np.zeros((SIZE, SIZE), int)
    for step in range(RAMPING.steps + 1, STEPS + 1):
        training.step = step
        gradients = training.gradients(step)
        sums += gradients["weight"]
        count += 1
        due = count == period
        weight = np.where(due, weight - 0.003 * sums, weight)
        sums[due], count[due] = 0, 0
        training.quantization.update(training.optimizer, gradients, 0.003)
        now = training.layer.weight.data
        np.testing.assert_allclose(now, weight, rtol=1e-5, atol=1e-6)
        weight = now.astype(float)


def test_what_is_not_due_keeps_its_optimizer_state():
    training = Training(RAMPING, AdamW)
    training.go(RAMPING.steps)
    state, weight = training.optimizer.state(), training.layer.weight.data.copy()
    after = training.go(1)
    still = after == weight
    assert 0.1 < still.mean() < 0.9
    for slot in training.optimizer.slots:
        moved = training.optimizer.state()[f"{slot}/weight"] != state[f"{slot}/weight"]
        assert not moved[still].any()
        assert moved[~still].all()
    assert not np.array_equal(
        training.optimizer.state()["mean/bias"], state["mean/bias"]
    )


def test_reset_sets_weights_to_their_level():
    training, path = Training(RESET), []
    for step in range(1, STEPS + 1):
        weight = training.go(1)
        path.append(weight)
        if step == 11:  # a look from step 7 to step 10
            quantized = [rounded(w) for w in path[6:10]]
            ways = way(path[6:10])
            ratio = way(quantized) / np.where(ways == 0, 1, ways)
            reset = ratio >= 2
            assert 0.01 < reset.mean() < 0.9
            assert (weight == rounded(weight))[reset].all()
            assert (weight == rounded(weight))[~reset].mean() < 0.1


@pytest.mark.parametrize("upkeep", [RAMPING, RESET], ids=["ramping", "reset"])
@pytest.mark.parametrize("stop", [2, 6, 9])
def test_training_goes_on_from_its_state(upkeep, stop):
    whole, first, second = (Training(upkeep, AdamW) for _ in range(3))
    expected = whole.go(STEPS)
    first.go(stop)
    state = first.quantization.state()
    assert any(key.startswith("upkeep/") for key in state)
    for name, tensor in first.found.items():
        second.found[name].data = tensor.data.copy()
    second.optimizer.load_state(first.optimizer.state())
    second.quantization.load_state(state)
    second.step = stop
    assert np.array_equal(second.go(STEPS - stop), expected)


def test_states_of_others_are_refused():
    training = Training(RAMPING)
    training.go(2)
    with pytest.raises(ValueError, match="no upkeep"):
        Training(None).quantization.load_state(training.quantization.state())
    with pytest.raises(ValueError, match="a state of"):
        Training(RESET).quantization.load_state(training.quantization.state())


def test_upkeep_goes_with_the_forward_product():
    late = Schedule(recipe(RAMPING), (Switch("bf16", at=5, gemms=("fprop",)),))
    assert late.recipe_at(4).upkeep == RAMPING
    assert late.recipe_at(5).upkeep is None


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (None, "unquantised"),
        (Operand("mxfp4", cast=recipes.get("nvfp4").dgrad_dy.cast), "nearest"),
        (Operand("nvfp4", amax=recipes.Amax("held", 50)), "current"),
    ],
)
def test_impossible(weight, message):
    with pytest.raises(ValueError, match=message):
        replace(recipe(None), fprop_w=weight, dgrad_w=None, upkeep=RAMPING)
    with pytest.raises(TypeError, match="upkeep"):
        replace(recipe(None), upkeep="ramping")
