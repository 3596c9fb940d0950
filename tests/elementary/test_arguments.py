"""What functions accept: float32 and float16 in any layout, and nothing else."""

import numpy as np
import pytest

from refnum import elementary

from ._judge import JUDGES

NAMES = [*sorted(JUDGES), "silu", "gelu"]
X = np.linspace(0.1, 3, 210, dtype=np.float32).reshape(2, 3, 35)


@pytest.mark.parametrize("name", NAMES)
def test_layouts_change_no_bit(name):
    function = getattr(elementary, name)
    expected = function(X)
    assert expected.dtype == np.float32
    assert expected.shape == X.shape
    unaligned = np.zeros(X.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(X.shape)
    unaligned[...] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    for other in (np.asfortranarray(X), X.astype(">f4"), unaligned, frozen):
        result = function(other)
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(function(X[:, ::-1, ::3]), expected[:, ::-1, ::3])
    np.testing.assert_array_equal(function(X[0, 0, 0]), expected[0, 0, 0])


@pytest.mark.parametrize("name", NAMES)
def test_float16_is_widened(name):
    half = X.astype(np.float16)
    function = getattr(elementary, name)
    np.testing.assert_array_equal(function(half), function(half.astype(np.float32)))


@pytest.mark.parametrize("name", NAMES)
def test_signalling_nan_warns_of_nothing(name):
    function = getattr(elementary, name)
    for bits in (np.array([0x7F800001], np.uint32), np.array([0x7C01], np.uint16)):
        result = function(bits.view(f"f{bits.itemsize}"))
        assert result.view(np.uint32).tolist() == [0x7FC00000]


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_left_alone(name):
    x = np.array([0.5, np.nan, -1, np.inf, 0], np.float32)
    before = x.copy()
    getattr(elementary, name)(x)
    assert x.tobytes() == before.tobytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", [1.0, [1.0], 1, "one", None, np.ones(2), 1j])
def test_other_types_are_refused(name, wrong):
    with pytest.raises(TypeError, match="x must be float32 or float16, not"):
        getattr(elementary, name)(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_empty_gives_empty(name):
    result = getattr(elementary, name)(np.zeros((0, 3), np.float32))
    assert result.shape == (0, 3)
    assert result.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_chunks_meet_without_a_seam(name):
    """Special and hard inputs in some chunks leave the others' results as they are."""
    x = np.resize(X, 3 * 8192 + 5)
    x[[0, 8191, 8192, -1]] = np.nan, 0, np.inf, -2
    result = getattr(elementary, name)(x)
    parts = [getattr(elementary, name)(part) for part in np.split(x, [7, 8193, 20000])]
    np.testing.assert_array_equal(result, np.concatenate(parts))
