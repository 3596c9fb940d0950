"""How arrays are cut: the same blocks, whatever the axis, the strides and the tail."""

from dataclasses import replace

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnum as rn
from refnum import blocks
from refnum.blocks.block_format import TensorScale

from ._inputs import assert_same, bits

FORMATS = [rn.MXFP4, rn.MXFP8_E4M3, rn.NVFP4, blocks.NVFP4_16X16, blocks.FP8_PER_ROW]
ROWS = replace(rn.NVFP4, tensor_scale=TensorScale(448.0, span="row"), name="rows")
RUNS = replace(rn.NVFP4, tensor_scale=TensorScale(448.0, span=32), name="runs")
each = pytest.mark.parametrize(
    "fmt", [*FORMATS, blocks.FP8_PER_TENSOR, ROWS, RUNS], ids=str
)


def data(*shape, seed=0):
    """Rows and columns of different sizes, so that a wrong block shows."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    for axis, length in enumerate(shape):
        scale = 2.0 ** rng.integers(-6, 7, length)
        x *= scale.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return x.astype(np.float32)


def assert_equal(got, want, what="quantised"):
    assert_same(got.codes, want.codes, f"{what} codes")
    assert_same(got.scales, want.scales, f"{what} scales")
    assert_same(got.tensor_scale, want.tensor_scale, f"{what} tensor scale")
    assert_same(bits(rn.dequantize(got)), bits(rn.dequantize(want)), f"{what} values")


@each
@pytest.mark.parametrize("shape", [(3, 5, 70), (2, 33, 40), (17, 18, 19)])
def test_axes_agree_after_transposition(fmt, shape):
    x = data(*shape)
    want = rn.quantize(x, fmt)
    for axis in (0, 1):
        # The order of the other axes stays: a tile takes the last of them.
        got = rn.quantize(np.moveaxis(x, -1, axis), fmt, axis=axis)
        negative = rn.quantize(np.moveaxis(x, -1, axis), fmt, axis=axis - 3)
        assert_equal(got, negative)
        if fmt.block == "tensor":
            continue
        back = [np.moveaxis(a, axis, -1) for a in (got.codes, got.scales)]
        assert_same(back[0], want.codes, "codes")
        assert_same(back[1], want.scales, "scales")
        values = np.moveaxis(rn.dequantize(got), axis, -1)
        assert_same(bits(values), bits(rn.dequantize(want)), "values")


@each
def test_strides_and_byte_order_do_not_matter(fmt):
    x = data(6, 7, 50)
    want = rn.quantize(x, fmt)
    wide = np.repeat(np.repeat(x, 2, axis=0), 3, axis=2)
    reverse = np.ascontiguousarray(x[::-1, :, ::-1])
    read_only = x.copy()
    read_only.flags.writeable = False
    same = {
        "Fortran order": np.asfortranarray(x),
        "strided": wide[::2, :, ::3],
        "reversed": reverse[::-1, :, ::-1],
        "byte-swapped": x.astype(x.dtype.newbyteorder("S")),
        "transposed": np.ascontiguousarray(x.T).T,
        "read-only": read_only,
        "float64": x.astype(np.float64),
    }
    for name, array in same.items():
        assert_equal(rn.quantize(array, fmt), want, name)


@each
def test_input_is_left_alone(fmt):
    x = data(4, 16, 33)
    before = x.copy()
    rn.quantize(x, fmt)
    assert_same(bits(x), bits(before), "input")


@each
def test_quantized_views_dequantise_alike(fmt):
    q = rn.quantize(data(8, 32), fmt)
    codes = np.asfortranarray(q.codes)
    scales = np.asfortranarray(q.scales)
    other = blocks.Quantized(codes, scales, q.tensor_scale, fmt, q.axis)
    assert_same(bits(rn.dequantize(other)), bits(rn.dequantize(q)), "values")


@pytest.mark.parametrize("length", [1, 15, 16, 17, 31, 33, 47])
@pytest.mark.parametrize("fmt", [rn.NVFP4, rn.MXFP4, ROWS], ids=str)
def test_a_ragged_tail_is_padded_row_by_row(fmt, length):
    x = data(5, length)
    size = -(-length // fmt.block) * fmt.block
    padded = np.zeros((5, size), np.float32)
    padded[:, :length] = x
    got, want = rn.quantize(x, fmt), rn.quantize(padded, fmt)
    assert got.codes.shape == x.shape
    assert got.scales.shape == (5, size // fmt.block)
    assert_same(got.codes, want.codes[:, :length], "codes")
    assert_same(got.scales, want.scales, "scales")
    values = rn.dequantize(want)[:, :length]
    assert_same(bits(rn.dequantize(got)), bits(values), "values")


def test_a_tail_never_runs_on_into_the_next_row():
    x = np.ones((2, 17), np.float32)
    x[1, 0] = 2.0**20
    q = rn.quantize(x, blocks.NVFP4_CUBLAS)
    one = rn.encode(np.float32(1) / np.float32(6), rn.UE4M3)
    assert q.scales[0].tolist() == [one, one]
    assert q.scales[1].tolist() == [126, one]


@pytest.mark.parametrize("shape", [(16, 16), (32, 48), (17, 33), (1, 1), (3, 15, 40)])
def test_tiles(shape):
    """Each tile alone gives the same codes, ragged or not."""
    fmt, x = blocks.NVFP4_16X16, data(*shape)
    q = rn.quantize(x, fmt)
    tall, wide = -(-shape[-2] // 16), -(-shape[-1] // 16)
    assert q.scales.shape == (*shape[:-2], tall, wide)
    amax = np.abs(x).max()
    for batch in np.ndindex(*shape[:-2]):
        for i, j in np.ndindex(tall, wide):
            place = (*batch, slice(16 * i, 16 * i + 16), slice(16 * j, 16 * j + 16))
            alone = rn.quantize(x[place], fmt, tensor_amax=amax)
            assert_same(q.codes[place], alone.codes, f"tile {i}, {j}")
            assert q.scales[(*batch, i, j)] == alone.scales[0, 0]


def test_tiles_of_unequal_sides():
    """The pair is (other axis, blocked axis), whichever axis is blocked."""
    fmt = replace(rn.MXFP4, block=(2, 8))
    x = data(6, 24)
    q = rn.quantize(x, fmt)
    assert q.scales.shape == (3, 3)
    amax = np.abs(x).reshape(3, 2, 3, 8).max(axis=(1, 3))
    want = rn.quantize(amax.reshape(-1, 1), replace(rn.MXFP4, block=1)).scales
    assert_same(q.scales, want.reshape(3, 3), "scales")
    across = rn.quantize(x.T.copy(), fmt, axis=0)
    assert_same(across.scales, q.scales.T, "scales of the transpose")
    assert_same(across.codes, q.codes.T, "codes of the transpose")


def test_rows_and_tensors():
    x = data(4, 6, 10)
    rows = rn.quantize(x, blocks.FP8_PER_ROW)
    assert rows.scales.shape == (4, 6, 1)
    amax = np.abs(x).max(axis=-1, keepdims=True)
    assert_same(rows.scales.view(np.float32), amax / np.float32(448), "row scales")
    columns = rn.quantize(x, blocks.FP8_PER_ROW, axis=0)
    assert columns.scales.shape == (1, 6, 10)
    tensor = rn.quantize(x, blocks.FP8_PER_TENSOR)
    assert tensor.codes.shape == x.shape
    assert tensor.scales.size == 1
    assert tensor.scales.view(np.float32).item() == amax.max() / np.float32(448)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_outer_blocks(axis):
    """Each run of blocks alone, as a tensor of its own."""
    x = data(5, 3, 70)
    moved = np.moveaxis(x, -1, axis)
    q = rn.quantize(moved, RUNS, axis=axis)
    assert np.shape(q.tensor_scale) == (15, 3)
    codes = np.moveaxis(q.codes, axis, -1).reshape(15, 70)
    values = np.moveaxis(rn.dequantize(q), axis, -1).reshape(15, 70)
    for row in range(15):
        for run in range(3):
            part = slice(32 * run, 32 * run + 32)
            alone = rn.quantize(x.reshape(15, 70)[row, part], rn.NVFP4)
            assert_same(codes[row, part], alone.codes, f"run {run} of row {row}")
            assert q.tensor_scale[row, run] == alone.tensor_scale
            assert_same(values[row, part], rn.dequantize(alone), "values")


def test_row_references():
    x = data(7, 40)
    q = rn.quantize(x, ROWS)
    assert np.shape(q.tensor_scale) == (7,)
    for row in range(7):
        alone = rn.quantize(x[row], rn.NVFP4)
        assert_same(q.codes[row], alone.codes, f"row {row}")
        assert q.tensor_scale[row] == alone.tensor_scale


def test_one_dimension():
    x = data(50)
    q, two = rn.quantize(x, rn.MXFP4), rn.quantize(x[np.newaxis], rn.MXFP4)
    assert q.codes.shape == (50,)
    assert q.scales.shape == (2,)
    assert_same(q.codes, two.codes[0], "codes")
    assert_same(rn.dequantize(q), rn.dequantize(two)[0], "values")


@each
@pytest.mark.parametrize("shape", [(0,), (0, 32), (4, 0), (2, 0, 32), (0, 0)])
def test_empty_arrays(fmt, shape):
    if isinstance(fmt.block, tuple) and len(shape) < 2:
        pytest.skip("a tile needs two dimensions")
    for axis in range(len(shape)):
        q = rn.quantize(np.zeros(shape, np.float32), fmt, axis=axis)
        assert q.codes.shape == shape
        assert q.codes.dtype == np.uint8
        if fmt.block != "tensor":
            assert q.scales.ndim == len(shape)
        assert rn.dequantize(q).shape == shape


@given(
    shape=hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=24),
    axis=st.integers(0, 3),
    block=st.one_of(
        st.integers(1, 30), st.tuples(st.integers(1, 9), st.integers(1, 9))
    ),
)
def test_every_block_has_its_own_amax(shape, axis, block):
    """Scales by the definition: a loop over the blocks."""
    axis %= len(shape)
    fmt = replace(rn.MXFP4, block=block)
    x = data(*shape, seed=axis)
    q = rn.quantize(x, fmt, axis=axis)
    moved = np.moveaxis(x, axis, -1)
    scales = np.moveaxis(q.scales, axis, -1)
    rows, columns = block if isinstance(block, tuple) else (1, block)
    assert scales.shape[-2:] == (
        -(-moved.shape[-2] // rows),
        -(-moved.shape[-1] // columns),
    )
    amax = np.zeros(scales.shape, np.float32)
    for index in np.ndindex(*scales.shape):
        *batch, i, j = index
        part = moved[(*batch, slice(i * rows, i * rows + rows))]
        amax[index] = np.abs(part[:, j * columns : j * columns + columns]).max()
    want = rn.quantize(amax.reshape(-1), replace(rn.MXFP4, block=1)).scales
    assert_same(scales, want.reshape(scales.shape), "scales")
    values = rn.dequantize(q)
    assert np.all(np.abs(values) <= np.abs(x) * 2)


@given(
    shape=hnp.array_shapes(min_dims=1, max_dims=3, max_side=70),
    seed=st.integers(0, 1000),
)
def test_a_second_time_changes_nothing(shape, seed):
    """Dequantised MX values are their own quantisation."""
    fmt = replace(rn.MXFP4, rule=blocks.RCEIL)
    once = rn.dequantize(rn.quantize(data(*shape, seed=seed), fmt))
    twice = rn.dequantize(rn.quantize(once, fmt))
    assert_same(bits(twice), bits(once), "values")
