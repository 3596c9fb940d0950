"""Compositions, element by element from their stated steps, with mpmath's functions."""

import math

import numpy as np
import pytest

from refnum import elementary
from refnum.elementary.reductions import pairwise_sum

from ._judge import judged

F32, F64 = np.float32, np.float64
NAMES = ("softmax", "log_softmax", "logsumexp", "layer_norm", "rms_norm")
RNG = np.random.default_rng(5)
ROWS = [RNG.standard_normal(n).astype(F32) * 3 for n in (1, 2, 7, 64, 200)]
ROWS += [np.array([1e30, -1e30, 0], F32), np.array([1000, 999.5, 0], F32)]


def bits_of(values: object) -> list[int]:
    return np.asarray(values, F32).view(np.uint32).ravel().tolist()


def exps(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    less = row - row.max()
    return less, np.array([judged("exp", float(d)) for d in less], F64)


def log_of_sum(powers: np.ndarray) -> np.float32:
    return judged("log", float(F32(pairwise_sum(powers))))


def softmax(row):
    _, powers = exps(row)
    return [F32(e / pairwise_sum(powers)) for e in powers]


def log_softmax(row):
    less, powers = exps(row)
    return [d - log_of_sum(powers) for d in less]


def logsumexp(row):
    return row.max() + log_of_sum(exps(row)[1])


def layer_norm(row, epsilon=1e-5):
    wide = row.astype(F64)
    centred = wide - pairwise_sum(wide) / len(row)
    variance = pairwise_sum(centred * centred) / len(row)
    return [F32(d / math.sqrt(variance + epsilon)) for d in centred]


def rms_norm(row, epsilon=1e-6):
    wide = row.astype(F64)
    square = pairwise_sum(wide * wide) / len(row)
    return [F32(x / math.sqrt(square + epsilon)) for x in wide]


STEPS = {one.__name__: one for one in (softmax, log_softmax, logsumexp)}
STEPS |= {one.__name__: one for one in (layer_norm, rms_norm)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.size} from {row[0]:g}")
@pytest.mark.parametrize("name", NAMES)
def test_rows_follow_their_steps(name, row):
    assert bits_of(getattr(elementary, name)(row)) == bits_of(STEPS[name](row))


@pytest.mark.parametrize("name", NAMES)
def test_axes_and_layouts(name):
    x = RNG.standard_normal((4, 5, 6)).astype(F32)
    function = getattr(elementary, name)
    rows = np.moveaxis(x, 1, -1)
    expected = np.asarray(function(np.ascontiguousarray(rows)))
    if name != "logsumexp":
        expected = np.moveaxis(expected, -1, 1)
    for other in (x, np.asfortranarray(x), x.astype(">f4")):
        assert bits_of(function(other, 1)) == bits_of(expected)
    flat = function(np.ascontiguousarray(np.moveaxis(x, 1, 0)).reshape(5, 24))
    both = np.moveaxis(x, 1, 0)
    assert bits_of(function(both, (1, 2))) == bits_of(flat)


def gelu(x: float) -> np.float32:
    e = judged("erf", float(F32(x * math.sqrt(0.5))))
    return F32(x * 0.5 * (1 + float(e)))


def gelu_tanh(x: float) -> np.float32:
    inner = (x + 0.044715 * (x * x * x)) * math.sqrt(2 / math.pi)
    return F32(x * 0.5 * (1 + float(judged("tanh", float(F32(inner))))))


def silu(x: float) -> np.float32:
    return F32(x) * judged("sigmoid", x)


POINTS = np.concatenate(
    [RNG.standard_normal(300) * 3, [0, -0.0, 1e-40, -1e-20, 5.5, -5.4, -6, 90, -100]]
).astype(F32)


@pytest.mark.parametrize(
    ("actual", "step"),
    [
        (elementary.gelu, gelu),
        (lambda x: elementary.gelu(x, approximate="tanh"), gelu_tanh),
        (elementary.silu, silu),
    ],
    ids=["gelu", "gelu_tanh", "silu"],
)
def test_activations_follow_their_steps(actual, step):
    assert bits_of(actual(POINTS)) == bits_of([step(float(x)) for x in POINTS])


def test_constants_of_gelu_are_the_nearest():
    from refnum.elementary import activations

    assert math.sqrt(0.5) == activations._ROOT_HALF
    assert math.sqrt(2 / math.pi) == activations._ROOT_TWO_OVER_PI


def test_infinite_logits():
    x = np.array([[-np.inf, 0], [-np.inf, -np.inf], [np.inf, 0]], F32)
    nan = 0x7FC00000
    assert bits_of(elementary.softmax(x)) == [*bits_of([0, 1]), *[nan] * 4]
    assert elementary.logsumexp(x).tolist() == [0, -np.inf, np.inf]
    assert bits_of(elementary.logsumexp(F32([np.nan, 1]))) == [nan]


def test_weight_and_bias_are_applied_before_the_rounding():
    x, weight, bias = (RNG.standard_normal(9).astype(F32) for _ in range(3))
    wide = x.astype(F64)
    centred = wide - pairwise_sum(wide) / 9
    scaled = centred / math.sqrt(pairwise_sum(centred * centred) / 9 + 0.5)
    expected = (scaled * weight + bias).astype(F32)
    actual = elementary.layer_norm(x, weight=weight, bias=bias, epsilon=0.5)
    assert bits_of(actual) == bits_of(expected)
    normal = elementary.rms_norm(x, weight=weight, epsilon=0.5)
    root = math.sqrt(pairwise_sum(wide * wide) / 9 + 0.5)
    assert bits_of(normal) == bits_of((wide / root * weight).astype(F32))


def test_bad_arguments_are_named():
    x = np.ones((2, 3), F32)
    with pytest.raises(ValueError, match=r"no elements along axes \(1,\)"):
        elementary.softmax(np.zeros((2, 0), F32))
    with pytest.raises(ValueError, match="epsilon must be finite and not negative"):
        elementary.rms_norm(x, epsilon=-1)
    with pytest.raises(
        ValueError, match=r"weight must broadcast to x's shape \(2, 3\)"
    ):
        elementary.layer_norm(x, weight=np.ones(2, F32))
    with pytest.raises(ValueError, match="not 'erf'"):
        elementary.gelu(x, approximate="erf")
    with pytest.raises(TypeError, match="bias must be float32 or float16, not float64"):
        elementary.layer_norm(x, bias=np.ones(3))
    assert elementary.softmax(np.zeros((0, 3), F32)).shape == (0, 3)
