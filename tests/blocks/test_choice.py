"""What all choices between encodings share, whatever their candidates."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.blocks.exact_choice import choose_block

from ._inputs import ALL, assert_same, bits, normal
from ._scalar import F, draw

CHOSEN = [
    getattr(blocks, name) for name in blocks.chosen.__all__ if name != "four_over_six"
]


@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_no_candidate_is_better(fmt):
    shape = (320, 640) if isinstance(fmt.stored.block, tuple) else (400, 32)
    x = normal(np.random.default_rng(6), *shape)

    def squares(q):
        gap = (rn.dequantize(q, np.float64) - x) ** 2
        if isinstance(fmt.stored.block, tuple):
            return gap.reshape(20, 16, 40, 16).sum(axis=(1, 3))
        return gap.reshape(400, -1, fmt.stored.block).sum(axis=2)

    chosen = squares(rn.quantize(x, fmt))
    for candidate in fmt.candidates:
        if candidate.alternate is None:
            alone = squares(rn.quantize(x, candidate))
            assert np.all(chosen <= alone * (1 + 1e-5) + 1e-12)
            assert np.any(chosen < alone * 0.999)


@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_memory_order_and_axis(fmt):
    x = normal(np.random.default_rng(7), 64, 96)
    q = rn.quantize(x, fmt)
    for other in (np.asfortranarray(x), x.astype(">f4"), np.repeat(x, 2, 0)[::2]):
        again = rn.quantize(other, fmt)
        assert_same(again.codes, q.codes, "codes")
        assert_same(again.scales, q.scales, "scales")
    across = rn.quantize(np.ascontiguousarray(x.T), fmt, axis=0)
    assert_same(across.codes.T, q.codes, "codes along axis 0")
    assert_same(bits(rn.dequantize(across).T), bits(rn.dequantize(q)), "values")


@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_the_result_is_a_plain_record(fmt):
    q = rn.quantize(np.ones((16, 32), F), fmt)
    assert isinstance(q.format, rn.BlockFormat)
    assert str(q.format) == str(fmt) == fmt.name
    assert hash(fmt) == hash(replace(fmt))
    assert rn.quantize(np.zeros((0, 32), F), fmt).codes.shape == (0, 32)
    assert np.all(rn.dequantize(rn.quantize(np.zeros((16, 32), F), fmt)) == 0)


def test_ties_take_the_first_candidate():
    x = np.zeros((1, 16), F)
    x[0, 0] = 3.0  # both maps are exact
    q = rn.quantize(x, blocks.NVFP4_FOUR_OVER_SIX, tensor_amax=1536.0)
    assert q.codes[0, 0] == 7
    reversed_order = replace(
        blocks.NVFP4_FOUR_OVER_SIX,
        candidates=blocks.NVFP4_FOUR_OVER_SIX.candidates[::-1],
    )
    q = rn.quantize(x, reversed_order, tensor_amax=1536.0)
    assert q.codes[0, 0] == 6


@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_a_nan_takes_the_first_candidate(fmt):
    x = normal(np.random.default_rng(8), 16, 32)
    x[3, 5] = np.nan
    q = rn.quantize(x, fmt, tensor_amax=4.0 if fmt.stored.tensor_scale else None)
    first = fmt.candidates[0]
    plain = rn.quantize(x, first, tensor_amax=4.0 if first.tensor_scale else None)
    row = 0 if isinstance(first.block, tuple) else 3
    assert q.scales[row, 0] == plain.scales[row, 0]
    assert_same(q.codes[3, :16], plain.codes[3, :16], "codes")


def test_tensor_scales_of_rows():
    rows = tuple(
        replace(c, tensor_scale=replace(c.tensor_scale, span="row"))
        for c in blocks.NVFP4_FOUR_OVER_SIX.candidates
    )
    fmt = replace(blocks.NVFP4_FOUR_OVER_SIX, candidates=rows)
    x = draw(normal, 64, 5) * np.ldexp(F(1), np.arange(5))[:, None]
    q = rn.quantize(x, fmt)
    for i, row in enumerate(x):
        alone = rn.quantize(row, blocks.NVFP4_FOUR_OVER_SIX)
        assert_same(q.codes[i], alone.codes, "codes")
        assert_same(q.scales[i], alone.scales, "scales")
        assert q.tensor_scale[i] == alone.tensor_scale


def test_stochastic_elements_share_their_bits():
    cast = rn.Cast(rn.Rounding.STOCHASTIC_A, random_bits=8)
    base = blocks.NVFP4_FOUR_OVER_SIX
    fmt = replace(
        base, candidates=tuple(replace(c, element_cast=cast) for c in base.candidates)
    )
    rng = np.random.default_rng(9)
    x = normal(rng, 200, 16)
    random = rng.integers(256, size=x.shape, dtype=np.uint32)
    q = rn.quantize(x, fmt, random=random)
    alone = [rn.quantize(x, c, random=random) for c in fmt.candidates]
    took = [np.all(q.codes == one.codes, axis=1) for one in alone]
    assert np.all(took[0] | took[1])
    assert np.any(~took[0])
    assert np.any(~took[1])
    with pytest.raises(ValueError, match="random"):
        rn.quantize(x, fmt)


def test_what_is_no_choice():
    six, four = blocks.NVFP4_FOUR_OVER_SIX.candidates
    with pytest.raises(ValueError, match="1 candidates; two or more"):
        blocks.ChosenFormat((six,))
    with pytest.raises(ValueError, match=r"differ in limit \* unit"):
        blocks.ChosenFormat((six, replace(four, tensor_scale=six.tensor_scale)))
    with pytest.raises(ValueError, match="differ in scale"):
        blocks.ChosenFormat((six, replace(four, scale=rn.UE5M3)))
    with pytest.raises(ValueError, match="different alternate"):
        blocks.ChosenFormat(
            (replace(six, alternate=rn.INT4), replace(four, alternate=rn.E1M2))
        )
    with pytest.raises(ValueError, match="mxfp4 has no tensor scale"):
        replace(blocks.MXFP4_SSE, measure=blocks.Measure("mse", "transformer_engine"))
    with pytest.raises(ValueError, match="a block 32 has no such order"):
        replace(blocks.MXFP4_SSE, measure=blocks.Measure("mse", "quartet_ii"))
    with pytest.raises(ValueError, match="hifloat4 has levels"):
        blocks.ChosenFormat((blocks.HIFLOAT4, blocks.HIFLOAT4))
    with pytest.raises(ValueError, match="error is 'rms'"):
        blocks.four_over_six(error="rms")
    with pytest.raises(ValueError, match="order is 'odd'"):
        blocks.Measure(order="odd")
    with pytest.raises(ValueError, match="quartet_ii has no error 'mae'"):
        blocks.Measure("mae", "quartet_ii")
    with pytest.raises(ValueError, match="limit is -1"):
        blocks.four_over_six(-1.0)
    with pytest.raises(TypeError, match="block_format must be a BlockFormat"):
        rn.quantize([1.0], (six, four))


def test_specials_do_not_raise():
    x = np.concatenate([draw(kind, 32) for kind in ALL])
    for fmt in CHOSEN:
        if not isinstance(fmt.stored.block, tuple):
            rn.dequantize(rn.quantize(x, fmt))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("fmt", CHOSEN, ids=str)
def test_exact_derivation(fmt, kind):
    """Every preset, on all kinds of blocks, by the exact path of the package."""
    stored = fmt.stored
    tile = isinstance(stored.block, tuple)
    x = draw(kind, 256 if tile else stored.block, 2 if tile else 8)
    shaped = x.reshape(-1, 16) if tile else x
    several = [None] if stored.tensor_scale is None else [0.0, 1e-38, 3.0, 3e38]
    for amax in several:
        q = rn.quantize(shaped, fmt, tensor_amax=amax)
        want = [choose_block(row, fmt, amax) for row in x.tolist()]
        assert_same(q.scales.reshape(-1), [w[1] for w in want], f"scales, {amax}", x)
        assert_same(q.codes.reshape(x.shape), [w[0] for w in want], f"codes, {amax}", x)
