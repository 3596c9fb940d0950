"""Reproducible numerics: one digest on every processor, kernel and thread count."""

import re

import numpy as np
import pytest

import refnum as rn
from refnum import autograd as ag
from refnum import elementary
from refnum.autograd import FAST, REPRODUCIBLE, Stream, Tensor

from .._machines import SOME, printed_on

# All functions, reductions, products and draws, forward and backward.
PROGRAM = """
import hashlib
import numpy as np
import refnum as rn
from refnum import autograd as ag
from refnum.autograd import Stream, Tensor

digest = hashlib.sha256()

def add(name, *arrays):
    for array in arrays:
        assert array.dtype in (np.float32, np.intp), name
        digest.update(np.ascontiguousarray(array).tobytes())

def run(name, f, *arrays):
    tensors = [Tensor(x, requires_grad=True) for x in arrays]
    out = f(*tensors)
    assert out.numerics.name == "reproducible"
    out.backward(Stream(1, 0, name).normal(out.shape))
    add(name, out.data, *[t.grad for t in tensors])

def draw(name, *shape):
    return Stream(0, 0, name).normal(shape)

x, y = draw("x", 37, 70), draw("y", 37, 70)
for name in ("exp expm1 sin cos tanh erf sigmoid relu silu gelu gelu_tanh square "
             "softmax log_softmax logsumexp layer_norm rms_norm").split():
    run(name, getattr(ag, name), x)
for name in "sqrt rsqrt log log1p reciprocal".split():
    run(name, getattr(ag, name), np.abs(x))
for name in "sum mean var max min".split():
    for axis in (None, 0, 1):
        run(name, lambda t: getattr(ag, name)(t, axis), x)
for name in "add subtract multiply divide maximum minimum".split():
    run(name, getattr(ag, name), x, y[:1])
for name in "negative abs".split():
    run(name, getattr(ag, name), x)
for name in "sign floor ceil rint".split():
    add(name, getattr(ag, name)(Tensor(x)).data)
for exponent in (3, -2, 0.5):
    run("power", lambda t: t ** exponent, np.abs(x))
run("clip", lambda t: ag.clip(t, -0.5, 0.7), x)
run("where", lambda a, b: ag.where(x > 0, a, b), x, y[:1])
wide = Tensor(x.astype(float))
add("astype", ag.astype(wide * 1.1, np.float32).data)
run("linear", ag.linear, x, draw("w", 20, 70), draw("b", 20))
run("matmul", lambda a, b: a @ b.T, x, y)
for accumulator in type(rn.EXACT):
    run("matmul", lambda a, b: ag.matmul(a, b.T, accumulator=accumulator), x, y)
run("batched", ag.matmul, draw("a", 3, 40, 60), draw("b", 3, 60, 30))
run("attention", lambda q, k: ag.attention(q, k, k, causal=True), x, y)
run("cross_entropy", lambda t: ag.cross_entropy(t, np.arange(37)), x)
run("embedding", lambda t: ag.embedding(t, [3, 3, 5, 3]), x)
image, kernel = draw("i", 2, 3, 9, 9), draw("k", 4, 3, 3, 3)
run("conv2d", lambda a, b: ag.conv2d(a, b, padding=1), image, kernel)
for name in "avg_pool2d max_pool2d".split():
    run(name, lambda a: getattr(ag, name)(a, 3, 2, 1), image)
for mode in ("nearest", "bilinear"):
    run("upsample2d", lambda a: ag.upsample2d(a, (2, 3), mode), image)
run("batch_norm", ag.batch_norm, image, draw("w", 3), draw("b", 3))
run("group_norm", lambda a, w: ag.group_norm(a, 3, w), image, draw("w", 3))
places = np.arange(60).reshape(3, 20) * 7 % 37
run("take", lambda a: ag.take(a, places, 0), x)
run("take_along_axis", lambda a: ag.take_along_axis(a, places[:, :1], 1), x[:3])
run("scatter_add", lambda a, b: ag.scatter_add(a, places, b, 1), x[:3], y[:3, :20])
run("moves", lambda a: ag.stack(ag.split(ag.pad(ag.moveaxis(ag.squeeze(
    ag.expand_dims(ag.transpose(ag.reshape(ag.swapaxes(a, 0, 1), (7, 370))), 1), 1
    ), 0, 1), [(1, 2), (0, 2)]), 2, 0), 1), x)
run("concatenate", lambda a, b: ag.concatenate([a, b, a], 0), x, y)
run("broadcast_to", lambda a: ag.broadcast_to(a, (300, 37, 70)), x)
run("attention_composition",
    lambda q, k: ag.attention_composition(q, k, k, causal=True), x, y)
stream = Stream(9, 8, "draws")
add("draws", stream.uniform(1000), stream.normal(100_000), stream.permutation(1000),
    stream.dropout_mask(1000, 0.1), stream.words(1000).view(np.float32))
print(digest.hexdigest())
"""

# What has no numbers of its own.
OTHERS = {
    *("FAST", "REPRODUCIBLE", "GradientError", "Numerics", "Operation", "Stream"),
    *("Tensor", "check_gradients", "gradients", "no_grad", "observe", "use"),
}


def test_one_digest():
    digests = {machine: printed_on(machine, PROGRAM) for machine in SOME}
    assert len(set(digests.values())) == 1, digests


def test_the_digest_covers_every_operation():
    words = set(re.findall(r"\w+", PROGRAM))
    assert set(ag.__all__) - OTHERS <= words
    assert {name for name in vars(Stream) if name[0] != "_"} - words <= {"key", "step"}


def test_functions_are_elementary():
    x = Stream(0).normal((5, 7))
    for name in ("exp", "log1p", "tanh", "erf", "gelu", "silu", "softmax"):
        data = np.abs(x) if name == "log1p" else x
        result = getattr(ag, name)(Tensor(data))
        assert result.numerics is REPRODUCIBLE
        expected = getattr(elementary, name)(data)
        np.testing.assert_array_equal(result.data, expected)


def test_products_take_an_accumulator():
    a, b = Stream(0).normal((5, 300)), Stream(1).normal((300, 4))
    np.testing.assert_array_equal(ag.matmul(Tensor(a), b).data, rn.matmul(a, b))
    for accumulator in (rn.SEQUENTIAL, rn.PAIRWISE, rn.FMA_CHAIN):
        x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
        out = ag.matmul(x, y, accumulator=accumulator)
        out.backward(np.ones((5, 4)))
        expected = rn.matmul(a, b, accumulator=accumulator)
        np.testing.assert_array_equal(out.data, expected)
        ones = np.ones((5, 4), np.float32)
        expected = rn.matmul(a.T, ones, accumulator=accumulator)
        np.testing.assert_array_equal(y.grad, expected)


def test_attention_equals_its_composition_to_the_bit():
    draws = [Stream(k).normal((2, 6, 4)) for k in range(3)]
    both = []
    for f in (ag.attention, ag.attention_composition):
        tensors = [Tensor(x, requires_grad=True) for x in draws]
        out = f(*tensors, causal=True)
        out.backward(Stream(9).normal(out.shape))
        both.append([out.data, *[t.grad for t in tensors]])
    np.testing.assert_array_equal(both[0][0], both[1][0])
    for fused, composed in zip(*both, strict=True):
        np.testing.assert_allclose(fused, composed, rtol=1e-5, atol=1e-6)


def test_close_to_fast():
    x = Stream(0).normal((20, 30))
    for name in ("exp", "gelu", "softmax", "layer_norm", "logsumexp"):
        f = getattr(ag, name)
        with ag.use(FAST):
            fast = f(Tensor(x)).data
        np.testing.assert_allclose(f(Tensor(x)).data, fast, rtol=1e-5, atol=1e-6)


def test_powers():
    x = Tensor([2.0, 3.0], requires_grad=True)
    (x**3).backward(np.ones(2))
    assert x.grad.tolist() == [12, 27]
    assert (x**0.5).data[0] == np.float32(2**0.5)
    with pytest.raises(ValueError, match=r"integer from -1024 to 1024 .* not 0\.3"):
        _ = x**0.3
    (y,) = ag.gradients((x**-0.5).sum(), [x], create_graph=True)
    np.testing.assert_allclose(y.data, -0.5 * x.data.astype(float) ** -1.5, 1e-6)
    (z,) = ag.gradients(y.sum(), [x])
    np.testing.assert_allclose(z, 0.75 * x.data.astype(float) ** -2.5, 1e-6)
    with pytest.raises(ValueError, match=r"to 1024 as exponent, or .* not 1025"):
        _ = x**1025
    with pytest.raises(ValueError, match=r"not an array of shape \(2,\)"):
        _ = x ** Tensor([1.0, 2.0])
    assert (x**1024).data[0] == np.inf
    assert (x**-1024).data.tolist() == [0, 0]
