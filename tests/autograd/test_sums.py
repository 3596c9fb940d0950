"""Sums in fast numerics: whichever way they are made, they are sums."""

import itertools

import numpy as np
import pytest

from refnum import autograd as ag
from refnum.autograd import FAST, Tensor, use
from refnum.autograd.numerics import total_of

SHAPES = [(1 << 15,), (300, 70), (4, 100, 64), (20_000, 2), (2, 20_000), (1, 1 << 15)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_choice_of_axes(shape, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    places = range(-len(shape), len(shape))
    choices = [None, *places]
    choices += itertools.combinations(range(len(shape)), 2)
    for axis, keepdims in itertools.product(choices, [False, True]):
        got = ag.sum(Tensor(x), axis, keepdims=keepdims, numerics=FAST).data
        want = np.sum(x.astype(np.float64), axis, keepdims=keepdims)
        assert got.dtype == dtype
        assert got.shape == want.shape
        error = np.sqrt(x.size) * np.finfo(dtype).eps * 30
        np.testing.assert_allclose(got, want, rtol=0, atol=error)


def test_long_sums_stay_accurate():
    x = Tensor(np.full(10**6, 0.1, np.float32))
    assert ag.mean(x, numerics=FAST).data == pytest.approx(0.1, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.int32, np.float16])
def test_other_types_are_numpys(dtype):
    x = np.random.default_rng(0).integers(0, 2, (256, 128)).astype(dtype)
    for axis in (None, 0, 1, -1, (0, 1)):
        got, want = total_of(x, axis), np.sum(x, axis)
        assert got.dtype == want.dtype
        assert np.array_equal(got, want)


def test_an_axis_that_does_not_exist():
    with use(FAST), pytest.raises(ValueError, match="axis 5"):
        total_of(np.ones((300, 70), np.float32), 5)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (5,), (3, 4096), (64, 64, 9)])
def test_relu(shape):
    x = np.asarray(np.random.default_rng(0).standard_normal(shape), np.float32)
    for one in (x, x.copy(order="F"), x.astype(np.float64)):
        got = ag.relu(Tensor(one)).data
        assert got.shape == shape
        assert np.array_equal(got, np.maximum(one, 0))
    special = np.array([-0.0, np.nan, np.inf, -np.inf] * 1024, np.float32)
    got = ag.relu(Tensor(special)).data
    assert not np.signbit(got[~np.isnan(got)]).any()
    assert np.array_equal(got, np.maximum(special, 0), equal_nan=True)
