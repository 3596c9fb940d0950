"""Mixture of representations: errors and choices against their definitions."""

import numpy as np
import pytest

import refnum as rn
from refnum.nn.quantized.mixture import accepted, fall_back, relative_errors
from refnum.recipes import Fallback


def some_values(*shape, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * np.exp(rng.normal(size=shape) * 3)
    x[rng.random(shape) < 0.1] = 0
    return x.astype(np.float32)


def mean_error(x, values):
    """The definition, for the elements of one block."""
    errors = [abs(v - t) / abs(t) for t, v in zip(x, values, strict=True) if t]
    return sum(errors) / len(errors) if errors else 0.0


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_errors_of_blocks(axis):
    x = some_values(40, 50)
    values = rn.round_to(x, rn.E4M3)
    found = relative_errors(x, values, block=16, axis=axis)
    rows = np.moveaxis(x, axis, -1), np.moveaxis(values, axis, -1)
    expected = [
        [
            mean_error(a[k : k + 16].tolist(), b[k : k + 16].tolist())
            for k in range(0, len(a), 16)
        ]
        for a, b in zip(*rows, strict=True)
    ]
    np.testing.assert_allclose(np.moveaxis(found, axis, -1), expected, rtol=1e-6)


def test_error_of_the_tensor():
    x = some_values(40, 50)
    values = rn.round_to(x, rn.E5M2)
    expected = mean_error(x.reshape(-1).tolist(), values.reshape(-1).tolist())
    found = relative_errors(x, values)
    assert found.shape == ()
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("block", [None, 16])
@pytest.mark.parametrize("axis", [0, 1])
def test_choice(block, axis):
    x = some_values(40, 50)
    values = rn.round_to(x, rn.E4M3)
    errors = relative_errors(x, values, block=block, axis=axis)
    threshold = float(np.median(errors))
    fallback = Fallback(threshold, rn.BF16, block)
    keep = accepted(x, values, fallback, axis)
    assert np.array_equal(keep, errors <= np.float32(threshold))
    found = fall_back(x, values, fallback, axis)
    wide = rn.round_to(x, rn.BF16)
    if block is None:
        assert np.array_equal(found, values)
        strict = Fallback(threshold / 2, rn.BF16)
        assert np.array_equal(fall_back(x, values, strict), wide)
        return
    for index in np.ndindex(x.shape):
        place = list(index)
        place[axis] //= 16
        expected = values if keep[tuple(place)] else wide
        assert found[index] == expected[index]
    assert 0.3 < keep.mean() < 0.7


def test_zeros_are_represented_well_and_nan_is_not():
    x = np.zeros((2, 4), np.float32)
    assert accepted(x, x, Fallback(1e-9)).all()
    x[0, 0] = np.nan
    kept = accepted(x, x, Fallback(0.5, block=4))
    assert kept.tolist() == [[False], [True]]
    assert np.isnan(fall_back(x, x, Fallback(0.5, block=4))[0, 0])


def test_wrong_arguments():
    x = np.ones((2, 4), np.float32)
    with pytest.raises(ValueError, match="has shape"):
        relative_errors(x, x[:1])
    with pytest.raises(TypeError, match="values must be float32"):
        relative_errors(x, x.astype(np.float64))
    with pytest.raises(ValueError, match="block must"):
        relative_errors(x, x, block=0)
    with pytest.raises(ValueError, match="axis 2"):
        relative_errors(x, x, block=2, axis=2)
