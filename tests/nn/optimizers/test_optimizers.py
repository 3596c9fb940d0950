"""Optimisers: their definition, their state, schedules, clipping and loss scales."""

import math

import numpy as np
import pytest

import refnum as rn
from refnum.autograd import Tensor
from refnum.nn import (
    SGD,
    Adam,
    AdamW,
    LossScale,
    StableSPAM,
    clip_by_global_norm,
    constant,
    cosine,
    global_norm,
    wsd,
)

F32 = np.float32
SHAPES = {"a": (130, 150), "b": (7,), "c": ()}


def make_parameters(seed=0):
    rng = np.random.default_rng(seed)
    return {
        n: Tensor(rng.standard_normal(s, F32), requires_grad=True)
        for n, s in SHAPES.items()
    }


def draw_gradients(seed):
    rng = np.random.default_rng(1000 + seed)
    return {n: rng.standard_normal(s, F32) for n, s in SHAPES.items()}


def readable_adam(w, grads, rates, decay, decoupled, betas=(0.9, 0.999), epsilon=1e-8):
    """Adam on a whole parameter, one line an operation of the definition."""
    m = v = np.zeros_like(w)
    power1 = power2 = 1.0
    for g, rate in zip(grads, rates, strict=True):
        power1, power2 = power1 * betas[0], power2 * betas[1]
        if decoupled:
            w = w * F32(1 - rate * decay)
        else:
            g = g + w * F32(decay)
        m = m + (g - m) * F32(1 - betas[0])
        v = v * F32(betas[1]) + g * g * F32(1 - betas[1])
        root = np.sqrt(v) / F32(math.sqrt(1 - power2)) + F32(epsilon)
        w = w - m / root * F32(rate / (1 - power1))
    return w


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_adam_is_its_definition(kind):
    found = make_parameters()
    start = {n: t.data for n, t in found.items()}
    optimizer = kind(found, weight_decay=0.1)
    rates = [0.1 / (1 + k) for k in range(5)]
    steps = [draw_gradients(k) for k in range(5)]
    for gradients, rate in zip(steps, rates, strict=True):
        optimizer.step(gradients, rate)
    for n, tensor in found.items():
        grads = [gradients[n] for gradients in steps]
        expected = readable_adam(start[n], grads, rates, 0.1, kind is AdamW)
        np.testing.assert_array_equal(tensor.data, expected)


def test_vectors_may_be_spared_from_decay():
    found = make_parameters()
    start = {n: t.data for n, t in found.items()}
    optimizer = AdamW(found, weight_decay=0.5, decays_vectors=False)
    optimizer.step({n: np.zeros(s, F32) for n, s in SHAPES.items()}, 0.1)
    np.testing.assert_array_equal(found["a"].data, start["a"] * F32(0.95))
    for n in "bc":
        np.testing.assert_array_equal(found[n].data, start[n])


def readable_spam(w, grads, rate, gammas, reset, epsilon=1e-6, betas=(0.9, 0.999)):
    """StableSPAM in float64, from the formulas."""
    w = w.astype(float)
    top = first = second = 0.0
    m = v = np.zeros_like(w)
    age = 0
    for t, g in enumerate(grads, 1):
        g = g.astype(float)
        top = gammas[2] * top + (1 - gammas[2]) * np.abs(g).max()
        limit = top / (1 - gammas[2] ** t)
        g = np.where(np.abs(g) > limit, g / np.abs(g).max() * limit, g)
        norm = np.sqrt((g * g).sum())
        first = gammas[0] * first + (1 - gammas[0]) * norm
        second = gammas[1] * second + (1 - gammas[1]) * norm**2
        mean = first / (1 - gammas[0] ** t)
        g = g / norm * mean / (np.sqrt(second / (1 - gammas[1] ** t)) + epsilon)
        if reset and t % reset == 0:
            m = v = np.zeros_like(w)
            age = 0
        age += 1
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        root = np.sqrt(v / (1 - betas[1] ** age)) + epsilon
        w = w - rate * m / (1 - betas[0] ** age) / root
    return w


@pytest.mark.parametrize("reset", [0, 4])
def test_stable_spam_is_its_formulas(reset):
    found = make_parameters()
    start = {n: t.data for n, t in found.items()}
    gammas = (0.7, 0.9, 0.95)
    optimizer = StableSPAM(found, gammas=gammas, reset=reset)
    steps = [draw_gradients(k) for k in range(10)]
    steps[6]["a"][3, 4] = 1000  # a spike
    for gradients in steps:
        optimizer.step(gradients, 0.01)
    for n, tensor in found.items():
        grads = [gradients[n] for gradients in steps]
        expected = readable_spam(start[n], grads, 0.01, gammas, reset)
        np.testing.assert_allclose(tensor.data, expected, rtol=1e-5, atol=1e-5)


def test_stable_spam_tames_a_spike():
    moves = []
    for kind in (AdamW, StableSPAM):
        tensor = Tensor(np.zeros(100, F32), requires_grad=True)
        optimizer = kind({"w": tensor}, weight_decay=0.0)
        rng = np.random.default_rng(0)
        for step in range(30):
            g = rng.standard_normal(100, F32)
            if step == 20:
                g[0] = 1e4
            optimizer.step({"w": g}, 0.01)
        moves.append(abs(float(optimizer.state()["mean/w"][0])))
    assert moves[1] < moves[0] / 100


KINDS = {
    "SGD": lambda p: SGD(p, momentum=0.9),
    "Adam": Adam,
    "AdamW": AdamW,
    "StableSPAM": lambda p: StableSPAM(p, reset=3),
    "in BF16": lambda p: AdamW(p, state_format=rn.BF16),
    "in blocks": lambda p: Adam(p, state_format=rn.MXFP8_E4M3),
}


@pytest.mark.parametrize("name", KINDS)
def test_state_resumes_to_the_same_bits(name):
    found = make_parameters()
    optimizer = KINDS[name](found)
    for k in range(4):
        optimizer.step(draw_gradients(k), 0.01)
    state = optimizer.state()
    copy = {n: Tensor(t.data, requires_grad=True) for n, t in found.items()}
    other = KINDS[name](copy)
    other.load_state({n: a.copy() for n, a in state.items()})
    for k in range(4, 8):
        optimizer.step(draw_gradients(k), 0.01)
        other.step(draw_gradients(k), 0.01)
    for n in found:
        np.testing.assert_array_equal(found[n].data, copy[n].data)
    for n, array in other.state().items():
        np.testing.assert_array_equal(array, optimizer.state()[n])
    assert not np.array_equal(state["count"], optimizer.state()["count"])


@pytest.mark.parametrize("fmt", [rn.BF16, rn.FP16, rn.E5M2])
def test_state_is_rounded(fmt):
    optimizer = Adam(make_parameters(), state_format=fmt)
    optimizer.step(draw_gradients(0), 0.01)
    state = optimizer.state()
    g = draw_gradients(0)["a"]
    np.testing.assert_array_equal(state["mean/a"], rn.round_to(g * F32(1 - 0.9), fmt))
    square = rn.round_to(g * g * F32(1 - 0.999), fmt)
    np.testing.assert_array_equal(state["square/a"], square)


def test_state_in_blocks_goes_along_the_last_axis():
    optimizer = Adam(make_parameters(), state_format=rn.MXFP8_E4M3)
    optimizer.step(draw_gradients(0), 0.01)
    mean = draw_gradients(0)["a"] * F32(1 - 0.9)
    expected = rn.dequantize(rn.quantize(mean, rn.MXFP8_E4M3, axis=-1))
    np.testing.assert_array_equal(optimizer.state()["mean/a"], expected)


def test_values_from_outside_are_taken_over():
    w = Tensor([1.0, 2.0], requires_grad=True)
    optimizer = SGD({"w": w})
    optimizer.step({"w": F32([1, 1])}, 0.5)
    kept = w.data
    w.data = F32([10, 20])
    optimizer.step({"w": F32([1, 1])}, 0.5)
    assert w.data.tolist() == [9.5, 19.5]
    assert kept.tolist() == [0.5, 1.5]


def test_nothing_changes_on_wrong_input():
    found = make_parameters()
    optimizer = AdamW(found)
    before = {n: t.data for n, t in found.items()}
    good = draw_gradients(0)
    for gradients, rate, message in (
        ({"a": good["a"]}, 0.1, "gradients and parameters differ in b, c"),
        (
            good | {"b": np.zeros(8, F32)},
            0.1,
            r"gradient of b must have the shape \(7,\)",
        ),
        (good, math.nan, "learning_rate must be from 0"),
        (good, -1.0, "learning_rate must be from 0"),
    ):
        with pytest.raises(ValueError, match=message):
            optimizer.step(gradients, rate)
    assert all(found[n].data is before[n] for n in found)
    assert optimizer.count == 0
    state = optimizer.state()
    with pytest.raises(ValueError, match="states differ in count"):
        optimizer.load_state({n: a for n, a in state.items() if n != "count"})
    with pytest.raises(ValueError, match=r"mean/b is float32 of shape \(7,\)"):
        optimizer.load_state(state | {"mean/b": np.zeros(3, F32)})


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (ValueError, "no parameters", lambda: SGD({})),
        (TypeError, "w must be float32", lambda: SGD({"w": Tensor(np.ones(2), True)})),
        (
            ValueError,
            "weight_decay must be",
            lambda: SGD(make_parameters(), weight_decay=-1),
        ),
        (ValueError, "momentum must be", lambda: SGD(make_parameters(), momentum=1)),
        (
            ValueError,
            "each of betas",
            lambda: Adam(make_parameters(), betas=(0.9, 1.0)),
        ),
        (
            ValueError,
            "each of gammas",
            lambda: StableSPAM(make_parameters(), gammas=(1, 0, 0)),
        ),
        (ValueError, "reset must not", lambda: StableSPAM(make_parameters(), reset=-1)),
        (ValueError, "power of two", lambda: LossScale(1000)),
        (ValueError, "interval positive", lambda: LossScale(interval=0)),
        (ValueError, "largest must be positive", lambda: clip_by_global_norm({}, 0)),
        (ValueError, "counted from 1", lambda: constant(0)),
        (ValueError, "does not fit", lambda: cosine(1, 5, warmup=6)),
        (ValueError, "do not fit in 5", lambda: wsd(1, 5, warmup=3, decay=3)),
        (ValueError, "final must be", lambda: cosine(1, 5, final=2)),
    ],
)
def test_wrong_arguments(error, message, make):
    with pytest.raises(error, match=message):
        make()


def test_global_norm():
    rng = np.random.default_rng(0)
    arrays = {n: rng.standard_normal(s, F32) for n, s in SHAPES.items()}
    squares = [float(x) ** 2 for a in arrays.values() for x in a.ravel()]
    assert global_norm(arrays) == pytest.approx(math.sqrt(math.fsum(squares)), 1e-15)
    assert global_norm({"a": F32([3e38, 3e38])}) == pytest.approx(math.sqrt(2) * 3e38)
    assert global_norm({"a": F32([1e-40])}) == pytest.approx(1e-40, 1e-4)
    for bad in (np.inf, -np.inf, np.nan):
        assert not math.isfinite(global_norm({"a": F32([1, bad]), "b": F32([2])}))
    turned = {"a": np.asfortranarray(arrays["a"])}
    assert global_norm(turned) == global_norm({"a": arrays["a"]})


def test_clipping():
    gradients = draw_gradients(0)
    norm = global_norm(gradients)
    same, found = clip_by_global_norm(gradients, norm * 1.01)
    assert found == norm
    assert all(same[n] is gradients[n] for n in same)
    clipped, _ = clip_by_global_norm(gradients, norm / 7)
    assert global_norm(clipped) == pytest.approx(norm / 7, 1e-6)
    broken = gradients | {"b": np.full(7, np.inf, F32)}
    assert clip_by_global_norm(broken, 1.0)[0]["b"] is broken["b"]


def test_loss_scale():
    scaler = LossScale(interval=3)
    taken, scales = [], []
    for finite in (True, True, True, False, True, True, False, False):
        taken.append(scaler.update(finite))
        scales.append(scaler.scale)
    assert taken == [True, True, True, False, True, True, False, False]
    assert scales == [1024, 1024, 2048, 1024, 1024, 1024, 512, 256]
    other = LossScale(interval=3)
    other.load_state(scaler.state())
    assert (other.scale, other.good) == (256, 0)
    unscaled = scaler.unscale({"a": F32([256.0, 3.0])})["a"]
    assert unscaled.tolist() == [1.0, 3 / 256]


def test_schedules():
    assert [constant(k, warmup=4) for k in (1, 2, 4, 9)] == [0.25, 0.5, 1, 1]
    for k in range(1, 101):
        t = max(k - 10, 0) / 90
        expected = k / 10 if k <= 10 else 0.1 + 0.9 * (1 + math.cos(math.pi * t)) / 2
        assert cosine(k, 100, warmup=10, final=0.1) == pytest.approx(expected, abs=1e-7)
    assert cosine(100, 100, final=0.1) == 0.1
    assert cosine(500, 100) == 0
    shares = [wsd(k, 10, warmup=2, decay=4, final=0.2) for k in range(1, 12)]
    expected = [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2]
    np.testing.assert_allclose(shares, expected, rtol=1e-12)
