"""Axes, layouts, types and wrong arguments of Hadamard rotations."""

import numpy as np
import pytest

from refnum.blocks.hadamard import hadamard
from refnum.blocks.signs import hadamard_signs, random_signs

from ._rotations import bits, normals, wild


@pytest.mark.parametrize("arithmetic", ["exact", "butterfly", "sequential"])
def test_axes_and_layouts_agree(arithmetic):
    x = wild(32 * 48 * 64, seed=5, spread=40).reshape(32, 48, 64)
    for axis in range(3):
        expected = hadamard(
            np.ascontiguousarray(np.moveaxis(x, axis, -1)), 16, arithmetic=arithmetic
        )
        for same in (
            x,
            np.asfortranarray(x),
            x.astype(">f4"),
            np.repeat(x, 2, axis=1)[:, ::2],
            x[::-1].copy()[::-1],
        ):
            for number in (axis, axis - 3):
                y = hadamard(same, 16, axis=number, arithmetic=arithmetic)
                assert np.array_equal(bits(np.moveaxis(y, axis, -1)), bits(expected))


def test_chunks_do_not_matter():
    x = normals(3, 70000 // 32 * 32)
    whole = hadamard(x, 32)
    for start in (0, 32, 32000):
        part = hadamard(x[1, start : start + 6400], 32)
        assert np.array_equal(bits(part), bits(whole[1, start : start + 6400]))


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float64, np.int8, np.uint16, np.int64]
)
def test_types_agree(dtype):
    x = np.random.default_rng(2).integers(0, 100, (5, 64)).astype(dtype)
    expected = hadamard(x.astype(np.float32), 64)
    assert np.array_equal(bits(hadamard(x, 64)), bits(expected))


def test_empty():
    assert hadamard(np.zeros((0, 16)), 16).shape == (0, 16)
    assert hadamard(np.zeros((3, 0)), 16).shape == (3, 0)
    nothing = np.zeros((16, 0), np.float32)
    assert hadamard(nothing, 16, axis=0, output="bf16").shape == (16, 0)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([1.0] * 12, 12), ValueError, "power of two, 2 to 1024, not 12"),
        (([1.0] * 12, 2048), ValueError, "not 2048"),
        (([1.0] * 12, 1), ValueError, "not 1"),
        (([1.0] * 12, 8), ValueError, "12 elements: not a multiple of 8"),
        ((1.0, 8), ValueError, "0 dimensions"),
        (([1j] * 8, 8), TypeError, "complex128"),
        ((["a"] * 8, 8), TypeError, "not <U1"),
        (([2**53 + 1] * 8, 8), ValueError, "integers must be below"),
    ],
)
def test_bad_input(arguments, error, words):
    with pytest.raises(error, match=words):
        hadamard(*arguments)


@pytest.mark.parametrize(
    ("option", "error", "words"),
    [
        ({"signs": [1, -1]}, ValueError, "8 of"),
        ({"signs": [1, 0] * 4}, ValueError, "8 of"),
        ({"signs": ["1"] * 8}, TypeError, "numbers"),
        ({"axis": 1}, ValueError, "axis 1"),
        ({"order": "last"}, ValueError, "signs_first or signs_last"),
        ({"arithmetic": "float32"}, ValueError, "exact or butterfly or sequential"),
        ({"output": "nonsense"}, ValueError, "nonsense"),
    ],
)
def test_bad_options(option, error, words):
    with pytest.raises(error, match=words):
        hadamard(np.ones(8), 8, **option)


def test_bad_signs():
    with pytest.raises(ValueError, match="no signs named 'other'"):
        hadamard_signs("other")
    with pytest.raises(TypeError, match="one of the two"):
        random_signs(16)
    with pytest.raises(TypeError, match="uint32"):
        random_signs(16, words=[1.0])
    with pytest.raises(ValueError, match="need 2 words, not 1"):
        random_signs(64, words=np.zeros(1, np.uint32))
    with pytest.raises(ValueError, match="seed must be"):
        random_signs(64, seed=-1)
