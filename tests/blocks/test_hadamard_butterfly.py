"""Float32 butterflies: all runs at once against each operation by itself."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from refnum.blocks import rotations
from refnum.blocks.hadamard import hadamard
from refnum.blocks.signs import random_signs

from ._rotations import SIZES, bits, butterflies_by_definition, normals, wild


def special(runs, size):
    """Infinities, NaN and zeros of both signs among ordinary numbers."""
    x = normals(runs, size, seed=size)
    x[0, :2] = np.inf, -1
    x[1, -1] = -np.inf
    x[1, size // 2 - 1] = np.inf
    x[2, 0] = np.nan
    return x


def zeros(runs, size):
    """Zeros of both signs: runs of one, of the other, and of both."""
    x = np.zeros((runs, size), np.float32)
    x[0] = -0.0
    x[1, ::2] = -0.0
    return x


def many(runs, size):
    return wild(runs * size, seed=size, spread=140).reshape(runs, size)


def by_definition(x, signs, signs_first):
    with np.errstate(all="ignore"):
        flipped = x * signs if signs_first else x
        rows = np.array([butterflies_by_definition(run, x.shape[1]) for run in flipped])
        found = rows if signs_first else rows * signs
    return np.where(np.isnan(found), np.float32(np.nan), found)


@pytest.mark.parametrize("make", [many, special, zeros])
@pytest.mark.parametrize("size", SIZES)
def test_each_operation_by_itself(size, make):
    x, signs = make(3, size), random_signs(size, seed=size)
    for d, order in ((None, "first"), (signs, "first"), (signs, "last")):
        found = hadamard(
            x, size, signs=d, order=f"signs_{order}", arithmetic="butterfly"
        )
        ones = np.ones(size, np.float32) if d is None else d.astype(np.float32)
        expected = by_definition(x, ones, order == "first")
        assert np.array_equal(bits(found), bits(expected)), order


@pytest.mark.parametrize("size", [2, 4, 8, 32, 64, 512])
def test_runs_of_several_chunks_and_threads(size, monkeypatch):
    """Runs give the same bits wherever they stand, and whoever else is at work."""
    small = rotations.ARITHMETICS["butterfly"]._replace(chunk=4 * size)
    monkeypatch.setitem(rotations.ARITHMETICS, "butterfly", small)
    arrays = [wild(9 * size, seed=k, spread=30).reshape(9, size) for k in range(8)]
    signs = np.ones(size, np.float32)

    def rotate(x):
        return hadamard(x, size, arithmetic="butterfly")

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(rotate, arrays))
    for x, result in zip(arrays, found, strict=True):
        assert np.array_equal(bits(result), bits(by_definition(x, signs, True)))
