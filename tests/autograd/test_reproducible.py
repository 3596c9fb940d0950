"""Reproducible numerics: one digest on every processor, kernel and thread count."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import refnum as rn
from refnum import autograd as ag
from refnum import elementary
from refnum.autograd import FAST, REPRODUCIBLE, Stream, Tensor

ROOT = Path(__file__).resolve().parents[2]

# All functions, reductions, products and draws, forward and backward.
PROGRAM = """
import hashlib
import numpy as np
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
for name in "add subtract multiply divide maximum".split():
    run(name, getattr(ag, name), x, y[:1])
run("power", lambda t: t ** 3, x)
run("matmul", lambda a, b: a @ b.T, x, y)
run("batched", ag.matmul, draw("a", 3, 40, 60), draw("b", 3, 60, 30))
run("attention", lambda q, k: ag.attention(q, k, k, causal=True), x, y)
run("cross_entropy", lambda t: ag.cross_entropy(t, np.arange(37)), x)
run("embedding", lambda t: ag.embedding(t, [3, 3, 5, 3]), x)
image, kernel = draw("i", 2, 3, 9, 9), draw("k", 4, 3, 3, 3)
run("conv2d", lambda a, b: ag.conv2d(a, b, padding=1), image, kernel)
run("avg_pool2d", lambda a: ag.avg_pool2d(a, 2), image)
stream = Stream(9, 8, "draws")
add("draws", stream.uniform(1000), stream.normal(100_000), stream.permutation(1000),
    stream.dropout_mask(1000, 0.1))
print(digest.hexdigest())
"""

PLACES = {
    "as it is": {},
    "no AVX2": {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"},
    "Haswell": {"OPENBLAS_CORETYPE": "Haswell"},
    "Nehalem, two threads": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "OPENBLAS_NUM_THREADS": "2",
    },
    "SandyBridge": {"OPENBLAS_CORETYPE": "SandyBridge"},
}


def digest(changes):
    # Names of features differ between versions of NumPy, which warns of unknown ones.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"} | changes
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout.strip()


def disabled_features():
    """Return the dispatched features from AVX2 upwards, by this NumPy's names."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    named = [f for f in __cpu_dispatch__ if not f.startswith(("SSE", "POPCNT", "AVX1"))]
    return " ".join(named)


def test_one_digest():
    places = PLACES | {
        "no AVX2": {"NPY_DISABLE_CPU_FEATURES": disabled_features()},
    }
    digests = {name: digest(changes) for name, changes in places.items()}
    assert len(set(digests.values())) == 1, digests


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
    with pytest.raises(ValueError, match="an integer or 0"):
        _ = x**0.3
