"""Arrays quantised as they lie in memory, and by way of a block view, agree."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.blocks import passes, slabs
from refnum.blocks.geometry import Geometry
from refnum.blocks.maxima import block_maxima, group_maxima

from ._inputs import ALL, assert_same, bits
from ._inputs import blocks as hard_blocks

NAMES = [
    "mxfp4",
    "mxfp4_three_quarters",
    "mxfp6_e2m3",
    "mxfp8_e4m3",
    "mxint8",
    "nvfp4",
    "nvfp4_16x16",
    "nvfp4_sr",
    "nvfp4_alto",
    "nvfp4_encode",
    "nvfp4_tetrajet",
    "nvfp4_torchao",
    "fp8_per_row",
    "fp8_per_tensor",
    "fp4_per_channel",
    "nvfp4_eden",
]
SHAPES = [(128,), (32, 64), (2, 32, 64), (2, 32, 32, 2)]


@pytest.fixture(params=["usual", "tiny"])
def pieces(request, monkeypatch):
    """Run with the usual pieces, and with ones that cut every block."""
    if request.param == "tiny":
        monkeypatch.setattr(passes, "_PART", 200)
        monkeypatch.setattr(passes, "_PIECE", 24)
        monkeypatch.setattr(slabs, "_RUN", 12)
        monkeypatch.setattr("refnum.blocks.maxima._PIECE", 24)


def values_of(shape, fmt, kinds):
    x = hard_blocks(kinds, 1 + np.prod(shape) // 32 // len(kinds), 32)
    x = np.resize(x, shape).astype(np.float32)
    random = None
    if fmt.element_cast.random_bits:
        top = 1 << fmt.element_cast.random_bits
        random = np.random.default_rng(0).integers(top, size=shape, dtype=np.uint32)
    return x, random


def all_of(x, fmt, axis, random):
    q = rn.quantize(x, fmt, axis=axis, random=random)
    outer = np.float32(1) if q.tensor_scale is None else q.tensor_scale
    return (
        q.codes,
        q.scales,
        np.asarray(outer),
        rn.dequantize(q),
        rn.dequantize(q, "f8"),
    )


def same(got, want, what):
    for part, other in zip(got, want, strict=True):
        nan = np.isnan(part) & np.isnan(other)
        assert part.dtype == other.dtype, what
        if part.dtype.kind == "f":
            part, other = (one.view(f"u{one.itemsize}") for one in (part, other))
        assert_same(np.where(nan, 0, part), np.where(nan, 0, other), what)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_both_ways(name, shape, pieces, monkeypatch):
    fmt = blocks.block_format(name)
    for kinds in (ALL[:1], ALL):
        x, random = values_of(shape, fmt, kinds)
        for axis in range(len(shape)):
            if fmt.block == (16, 16) and len(shape) < 2:
                continue
            got = all_of(x, fmt, axis, random)
            faked = blocks.fake_quantize(x, fmt, axis=axis, random=random)
            same([faked], [got[3]], f"{name} of {shape}, axis {axis}")
            with monkeypatch.context() as patch:
                patch.setattr(slabs.Slabs, "of", lambda _: None)
                want = all_of(x, fmt, axis, random)
            same(got, want, f"{name} of {shape}, axis {axis}")


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T,
        lambda x: x[::2, ::2],
        lambda x: x.astype(">f4"),
        lambda x: x[:, 64:],
    ],
    ids=["transposed", "strided", "swapped", "part"],
)
def test_memory_order(view):
    x = view(np.random.default_rng(0).standard_normal((64, 128), np.float32))
    copy = np.array(x, np.float32, order="C")
    for fmt in (rn.MXFP4, blocks.NVFP4_16X16):
        for axis in (0, 1):
            got = blocks.fake_quantize(x, fmt, axis=axis)
            assert_same(
                bits(got), bits(blocks.fake_quantize(copy, fmt, axis=axis)), fmt
            )


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "nvfp4_four_over_six", "hifloat4"])
@pytest.mark.parametrize("shape", [(0, 32), (3, 45), (45, 3)], ids=str)
def test_fake_of_other_shapes(name, shape):
    """Ragged and empty arrays, chosen encodings and levels go through the codes."""
    fmt = blocks.block_format(name)
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    for axis in (0, 1):
        want = rn.dequantize(rn.quantize(x, fmt, axis=axis))
        got = blocks.fake_quantize(x, fmt, axis=axis)
        assert_same(bits(got), bits(want), f"{name} {shape}")


def test_fake_with_given_amax():
    x = np.random.default_rng(0).standard_normal((32, 32), np.float32)
    want = rn.dequantize(rn.quantize(x, rn.NVFP4, tensor_amax=7.0))
    assert_same(
        bits(blocks.fake_quantize(x, rn.NVFP4, tensor_amax=7.0)), bits(want), "amax"
    )


def test_pieces_cover_every_element_once():
    for shape, width in [((1, 1, 96), 32), ((4, 32, 40), 1), ((3, 16, 64), 16)]:
        one = slabs.Slabs(shape, width)
        for elements in (1, 7, 32, 100, 1000, 10**6):
            for cut in (one.parts(elements), one.pieces(elements)):
                seen = np.zeros(shape, int)
                for piece in cut:
                    seen[piece.elements] += 1
                    rows, columns = piece.elements[1:]
                    wide = columns.stop - columns.start
                    whole = rows.stop - rows.start == shape[1] and wide % width == 0
                    assert piece.cut != whole
                assert (seen == 1).all()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 6, 8, 12, 16, 20, 32, 100, 128])
def test_group_maxima(width):
    x = np.random.default_rng(width).integers(1 << 31, size=width * 9, dtype=np.uint32)
    got = group_maxima(x, width, np.empty_like(x))
    assert_same(got, x.reshape(9, width).max(axis=1), f"groups of {width}")


def test_block_maxima():
    x = np.random.default_rng(0).standard_normal((48, 96), np.float32)
    x[3, 5], x[40, 7] = np.nan, -np.inf
    fmt = replace(rn.MXFP4, block=(16, 32))
    found = block_maxima(
        x.reshape(3, 16, 96), slabs.Slabs.of(Geometry.of(x.shape, 1, fmt))
    )
    tiles = np.abs(x).reshape(3, 16, 3, 32)
    assert_same(bits(found), bits(tiles.max(axis=(1, 3))), "tiles")


def test_fake_quantize_rejects():
    x = np.ones((2, 32), np.float32)
    with pytest.raises(TypeError, match="block_format must be a BlockFormat"):
        blocks.fake_quantize(x, "mxfp4")
    with pytest.raises(ValueError, match="takes no random bits"):
        blocks.fake_quantize(x, rn.MXFP4, random=np.zeros(x.shape, np.uint16))
    with pytest.raises(ValueError, match="needs random bits"):
        blocks.fake_quantize(x, blocks.NVFP4_SR)
    with pytest.raises(ValueError, match="does not fit"):
        blocks.fake_quantize(x, blocks.NVFP4_SR, random=np.full(x.shape, 1 << 16, "u4"))
    with pytest.raises(ValueError, match="random has shape"):
        blocks.fake_quantize(x, blocks.NVFP4_SR, random=np.zeros(3, np.uint16))
    with pytest.raises(ValueError, match="axis 2 does not exist"):
        blocks.fake_quantize(x, rn.MXFP4, axis=2)
