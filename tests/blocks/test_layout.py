"""Scale layouts: the fast rearrangement against the offset formula, and round trips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnum as rn
from refnum.blocks.layout import (
    pack_ue8m0,
    swizzle_scales,
    swizzled_offset,
    unpack_ue8m0,
    unswizzle_scales,
)

TILES = [(128, 4), (8, 4)]


def cublas_offset(row, column, columns):
    """The formula as it stands in cuBLAS's text, of a 128x4 tile."""
    tile = row // 128 * ((columns + 3) // 4) + column // 4
    return tile * 512 + row % 32 * 16 + row // 32 % 4 * 4 + column % 4


def small_offset(row, column, columns):
    tile = row // 8 * ((columns + 3) // 4) + column // 4
    return tile * 32 + row % 8 * 4 + column % 4


def numbered(*shape):
    """Bytes that tell most places apart."""
    return (
        (np.arange(np.prod(shape), dtype=np.int64) % 251 + 1)
        .astype(np.uint8)
        .reshape(shape)
    )


@pytest.mark.parametrize(
    ("tile", "formula"), [((128, 4), cublas_offset), ((8, 4), small_offset)]
)
def test_the_offset_is_the_published_one(tile, formula):
    for row in range(300):
        for column in range(40):
            expected = formula(row, column, 40)
            assert swizzled_offset(row, column, 40, tile=tile) == expected


@pytest.mark.parametrize("tile", TILES)
def test_every_width_goes_where_the_offset_says(tile):
    rows = 300
    for columns in range(1, 41):
        offsets = np.array(
            [
                [swizzled_offset(r, c, columns, tile=tile) for c in range(columns)]
                for r in range(rows)
            ]
        )
        scales = numbered(rows, columns)
        data = swizzle_scales(scales, tile=tile)
        assert np.array_equal(data[offsets], scales)
        assert np.count_nonzero(data) == scales.size  # the rest is padding
        for fewer in (1, 7, 8, 31, 32, 33, 127, 128, 129, 256, 257):
            part = swizzle_scales(scales[:fewer], tile=tile)
            assert np.array_equal(part[offsets[:fewer]], scales[:fewer])
            assert np.count_nonzero(part) == fewer * columns


@pytest.mark.parametrize("tile", TILES)
def test_round_trip_of_every_shape_to_300_by_40(tile):
    scales = numbered(300, 40)
    for rows in range(301):
        for columns in range(41):
            part = scales[:rows, :columns]
            data = swizzle_scales(part, tile=tile)
            height, width = tile
            padded = -(-rows // height) * height * -(-columns // width) * width
            assert data.shape == (padded,)
            assert np.array_equal(unswizzle_scales(data, part.shape, tile=tile), part)


@pytest.mark.parametrize("tile", TILES)
def test_a_batch_is_its_matrices(tile):
    scales = numbered(2, 3, 130, 5)
    data = swizzle_scales(scales, tile=tile)
    for index in np.ndindex(2, 3):
        assert np.array_equal(data[index], swizzle_scales(scales[index], tile=tile))
    assert np.array_equal(unswizzle_scales(data, scales.shape, tile=tile), scales)
    flat = unswizzle_scales(data.ravel(), scales.shape, tile=tile)
    assert np.array_equal(flat, scales)


def test_padding_is_what_was_asked_for():
    data = swizzle_scales(numbered(3, 3), pad=255)
    assert np.count_nonzero(data == 255) == 512 - 9


@pytest.mark.parametrize("tile", TILES)
def test_strides_do_not_matter(tile):
    scales = numbered(66, 12)
    expected = swizzle_scales(scales, tile=tile)
    wide = np.repeat(np.repeat(scales, 2, axis=0), 3, axis=1)[::2, ::3]
    for same in (np.asfortranarray(scales), wide):
        assert np.array_equal(swizzle_scales(same, tile=tile), expected)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 3))
def test_packed_ue8m0_is_four_columns_a_word(rows, columns, batch):
    scales = numbered(batch, rows, columns)
    words = pack_ue8m0(scales, pad=127)
    assert words.shape == (batch, -(-columns // 4), -(-rows // 4) * 4)
    for b, word, row in np.ndindex(words.shape):
        value = 0
        for i in range(4):
            inside = row < rows and 4 * word + i < columns
            code = int(scales[b, row, 4 * word + i]) if inside else 127
            value |= code << 8 * i
        assert int(words[b, word, row]) % 2**32 == value
    assert np.array_equal(unpack_ue8m0(words, scales.shape), scales)
    assert np.array_equal(unpack_ue8m0(words.astype(">i4"), scales.shape), scales)


def test_dense_fp6_is_four_codes_in_three_bytes():
    codes = [0b100001, 0b010010, 0b001100, 0b111111]
    stream = sum(code << 6 * i for i, code in enumerate(codes))
    assert rn.pack(codes, 6).tolist() == list(stream.to_bytes(3, "little"))
    assert rn.pack(codes, 6).size == 3


def test_the_first_fp4_code_is_the_low_nibble():
    assert rn.pack([0x1, 0xE, 0x3, 0x4], 4).tolist() == [0xE1, 0x43]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: swizzle_scales(np.ones((2, 2))), TypeError, "not float64"),
        (lambda: swizzle_scales(numbered(4)), ValueError, "rows and columns"),
        (lambda: swizzle_scales(numbered(4, 4), tile=(4, 4)), ValueError, "(4, 4)"),
        (lambda: swizzle_scales(numbered(4, 4), pad=256), ValueError, "not 256"),
        (lambda: unswizzle_scales(numbered(511), (4, 4)), ValueError, "needs 512"),
        (lambda: unswizzle_scales(numbered(512), 4), ValueError, "rows, columns"),
        (lambda: unswizzle_scales(numbered(512), (4, -1)), ValueError, "-1"),
        (lambda: unswizzle_scales([1.0] * 512, (4, 4)), TypeError, "codes must be"),
        (lambda: swizzled_offset(0, 4, 4), ValueError, "column 4 of 4"),
        (lambda: swizzled_offset(-1, 0, 4), ValueError, "row -1"),
        (lambda: pack_ue8m0([[1]]), TypeError, "int64"),
        (lambda: unpack_ue8m0([[1.0]], (1, 1)), TypeError, "float64"),
        (lambda: unpack_ue8m0(np.zeros((1, 5), "i4"), (3, 4)), ValueError, "(1, 4)"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)
