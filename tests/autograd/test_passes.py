"""Fast ways through arrays give what the plain ones do."""

import math

import numpy as np
import pytest

from refnum import autograd as ag
from refnum import elementary
from refnum.autograd import FAST, REPRODUCIBLE, Tensor, gradients, no_grad, use
from refnum.autograd.attention_pass import attend, attend_backward
from refnum.autograd.sigmoid_units import gelu_tanh_pass, silu_pass


@pytest.mark.parametrize(("count", "rows", "width"), [(2000, 96, 32), (300, 3, 16)])
def test_embedding_adds_in_the_order_of_the_indices(count, rows, width):
    rng = np.random.default_rng(0)
    g = rng.standard_normal((count, width), dtype=np.float32)
    indices = rng.integers(rows - 1, size=count)  # the last row is not chosen
    table = Tensor(np.zeros((rows, width), np.float32), requires_grad=True)
    (found,) = gradients(ag.embedding(table, indices), [table], g)
    expected = np.zeros((rows, width), np.float32)
    np.add.at(expected, indices, g)
    np.testing.assert_array_equal(found, expected)
    (turned,) = gradients(table[indices - rows], [table], g)
    np.testing.assert_array_equal(turned, expected)


SPECIAL = np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -80, 30, 3e38, -3e38])


@pytest.mark.parametrize("name", ["silu", "gelu_tanh"])
def test_portable_units_are_elementary(name):
    rng = np.random.default_rng(0)
    x = np.concatenate([SPECIAL, 4 * rng.standard_normal(40_000, dtype=np.float32)])
    with use(REPRODUCIBLE):
        out = getattr(ag, name)(Tensor(x)).data
    if name == "silu":
        expected = elementary.silu(x)
    else:
        expected = elementary.gelu(x, approximate="tanh")
    np.testing.assert_array_equal(out.view(np.uint32), expected.view(np.uint32))


def slope_of_silu(x):
    s = 1 / (1 + np.exp(-x))
    return s + x * s * (1 - s)


def slope_of_gelu(x):
    c = math.sqrt(2 / math.pi)
    e = np.tanh(c * (x + 0.044715 * x**3))
    return (1 + e) / 2 + x * (1 - e * e) * c * (1 + 3 * 0.044715 * x * x) / 2


@pytest.mark.parametrize("numerics", [FAST, REPRODUCIBLE], ids=lambda n: n.name)
@pytest.mark.parametrize(
    ("run", "slope"), [(silu_pass, slope_of_silu), (gelu_tanh_pass, slope_of_gelu)]
)
def test_slopes(run, slope, numerics):
    x = np.linspace(-12, 12, 40_001, dtype=np.float32).reshape(1, -1)
    with use(numerics):
        out, found = run(x)
        swapped = run(np.asfortranarray(x.reshape(13, -1).T))
    expected = slope(x.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(swapped[0], out.reshape(13, -1).T)
    np.testing.assert_array_equal(swapped[1], found.reshape(13, -1).T)
    with use(numerics), no_grad():
        assert run(x)[1] is None


@pytest.mark.parametrize("numerics", [FAST, REPRODUCIBLE], ids=lambda n: n.name)
@pytest.mark.parametrize("run", [silu_pass, gelu_tanh_pass])
def test_slopes_of_huge_arguments(run, numerics):
    huge = np.float32([1e10, 1e19, 2e19, 1e20, 3.4e38])
    with use(numerics):
        _, found = run(np.concatenate([huge, -huge, np.float32([np.nan, 1])]))
    np.testing.assert_array_equal(found[:5], 1)
    np.testing.assert_array_equal(found[5:10], 0)
    assert np.isnan(found[10])
    assert np.isfinite(found[11])
    with use(numerics):
        assert run(np.empty((0, 3), np.float32))[1].shape == (0, 3)


def test_attention_in_pieces_is_attention():
    rng = np.random.default_rng(0)
    # Scores of 2^17 elements are a piece: here one of the first axis, and three remain.
    shapes = [(3, 2, 300, 8), (3, 1, 300, 8), (1, 2, 300, 5)]
    q, k, v = (rng.standard_normal(shape, dtype=np.float32) for shape in shapes)
    mask = np.tri(300, dtype=bool)
    with use(FAST):
        out, p = attend(q, k, v, mask, 0.3, None)
        g = rng.standard_normal(out.shape, dtype=np.float32)
        found = attend_backward(g, (True, True, True), q, k, v, p, out, 0.3, None)
        for n in range(3):
            rows = slice(n, n + 1)
            part, probabilities = attend(q[rows], k[rows], v, mask, 0.3, None)
            np.testing.assert_array_equal(out[rows], part)
            parts = attend_backward(
                g[rows],
                (True, True, True),
                q[rows],
                k[rows],
                v,
                probabilities,
                part,
                0.3,
                None,
            )
            for whole, piece in zip(found, parts, strict=True):
                np.testing.assert_array_equal(whole[rows], piece)
            alone = attend_backward(g, (False, True, False), q, k, v, p, out, 0.3, None)
            np.testing.assert_array_equal(alone[0], found[1])
