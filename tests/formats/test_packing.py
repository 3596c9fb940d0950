"""Codes of any width in bytes: `pack` and `unpack`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnum as rn

WIDTHS = range(1, 17)


def as_integer(codes, bits):
    """Return the packed data as one integer: the definition."""
    return sum(int(code) << (k * bits) for k, code in enumerate(codes))


@st.composite
def codes_and_width(draw):
    bits = draw(st.integers(1, 16))
    return draw(st.lists(st.integers(0, (1 << bits) - 1), max_size=40)), bits


@given(codes_and_width())
def test_pack_by_definition(case):
    codes, bits = case
    packed = rn.pack(codes, bits)
    assert packed.dtype == np.uint8
    assert packed.size == -(-len(codes) * bits // 8)
    assert int.from_bytes(packed.tobytes(), "little") == as_integer(codes, bits)


@given(codes_and_width())
def test_unpack_is_the_inverse(case):
    codes, bits = case
    unpacked = rn.unpack(rn.pack(codes, bits), bits, len(codes))
    assert unpacked.tolist() == codes
    assert unpacked.dtype == (np.uint8 if bits <= 8 else np.uint16)


@pytest.mark.parametrize("bits", WIDTHS)
def test_many_codes(bits):
    codes = np.random.default_rng(bits).integers(1 << bits, size=10_001)
    codes = codes.astype(np.uint16)
    packed = rn.pack(codes, bits)
    np.testing.assert_array_equal(rn.unpack(packed, bits, codes.size), codes)


def test_the_first_fp4_code_is_the_low_nibble():
    assert rn.pack([0x2, 0xF, 0x1], 4).tolist() == [0xF2, 0x01]


def test_four_fp6_codes_make_three_bytes():
    packed = rn.pack([0x3F, 0, 0x3F, 0], 6)
    assert packed.tolist() == [0x3F, 0xF0, 0x03]


def test_bytes_are_their_own_packing():
    assert rn.pack([1, 200], 8).tolist() == [1, 200]
    assert rn.pack([0x0102], 16).tolist() == [0x02, 0x01]


def test_nine_bit_codes_are_dense():
    codes = rn.encode([1.0, -1.0], rn.E5M3)
    assert codes.tolist() == [0x78, 0x178]
    assert rn.pack(codes, 9).tolist() == [0x78, 0xF0, 0x02]
    assert rn.unpack(rn.pack(codes, 9), 9, 2).dtype == np.uint16


@pytest.mark.parametrize("bits", WIDTHS)
def test_nothing_packs_to_nothing(bits):
    assert rn.pack([], bits).shape == (0,)
    assert rn.unpack([], bits, 0).shape == (0,)


def test_shapes_are_flattened_in_c_order():
    codes = np.arange(16).reshape(4, 4)
    want = rn.pack(codes.ravel(), 4)
    np.testing.assert_array_equal(rn.pack(np.asfortranarray(codes), 4), want)
    np.testing.assert_array_equal(rn.pack(codes.T, 4), rn.pack(codes.T.ravel(), 4))


def test_further_bytes_are_not_read():
    assert rn.unpack(np.array([0xF2, 0xFF], np.uint8), 4, 2).tolist() == [2, 15]


def test_unpack_does_not_share_memory():
    data = np.array([1, 2, 3], np.uint8)
    assert not np.shares_memory(rn.unpack(data, 8, 3), data)
