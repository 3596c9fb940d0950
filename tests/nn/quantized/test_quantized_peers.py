"""One linear layer as other projects compute it, each from its documented order.

The formulas of a project stand here in plain NumPy float32, apart from refnum's code;
products are exact in both. torchao runs live where it is installed.
"""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import recipes
from refnum.recipes import Operand, Rotation

from ._layers import Notes, arrays, equal, recipe_of, run

F = np.float32
GRID = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], F)
E4M3 = np.sort(rn.UE4M3.values[np.isfinite(rn.UE4M3.values)]).astype(F)


def rounded(x, grid, away=False):
    """Return the nearest of nonnegative levels; ties to the even index, or away."""
    sizes = np.abs(x)[..., None].astype(np.float64)
    gaps = np.abs(sizes - grid)
    first = gaps.argmin(axis=-1)
    up = np.minimum(first + 1, len(grid) - 1)
    tie = np.take_along_axis(gaps, up[..., None], -1)[..., 0] == gaps.min(axis=-1)
    choose = np.where(tie & (up != first) & (away | (first % 2 == 1)), up, first)
    return np.copysign(grid[choose], x).astype(F)


def layer(quantise, data):
    """Return Y, dX and dW of six operands made by one function of array and axis."""
    x, w, dy = data
    y = rn.matmul(quantise(x, 1), quantise(w, 1).T)
    dx = rn.matmul(quantise(dy, 1), quantise(w, 0))
    return y, dx, rn.matmul(quantise(dy, 0).T, quantise(x, 0))


def in_blocks(function, size):
    """Return a function of array and axis that works on blocks, (..., size)."""

    def whole(array, axis):
        moved = np.moveaxis(array, axis, -1)
        out = function(moved.reshape(*moved.shape[:-1], -1, size))
        return np.moveaxis(out.reshape(moved.shape), -1, axis)

    return whole


def microxcaling(blocks):
    """mx_ops.py, elemwise_ops.py: shared exponent, private exponents, ties away."""
    amax = np.abs(blocks).max(axis=-1, keepdims=True)
    shared = np.floor(np.log2(amax + F(2.0**-126) * (amax == 0))) - 2  # emax of E2M1
    scaled = blocks / np.exp2(shared)
    private = np.floor(np.log2(np.abs(scaled) + (scaled == 0)))
    private = np.maximum(private, 0)  # the least exponent of E2M1
    fine = scaled / np.exp2(private) * 2
    fine = np.sign(fine) * np.floor(np.abs(fine) + F(0.5))
    values = np.clip(fine / 2 * np.exp2(private), -6, 6)
    return (values * np.exp2(shared)).astype(F)


def test_microxcaling():
    data = arrays(64, 96, 64, seed=3)
    expected = layer(in_blocks(microxcaling, 32), data)
    assert equal(run("mxfp4-microxcaling", data), expected) == [True] * 3
    # Ties and saturation tell it from nearest even.
    ties = [np.round(array / F(2.0**-4)) * F(2.0**-4) for array in data[:2]]
    data = (*ties, data[2])
    expected = layer(in_blocks(microxcaling, 32), data)
    assert equal(run("mxfp4-microxcaling", data), expected) == [True] * 3
    assert not all(equal(run("mxfp4", data), expected))


def transformer_engine(array, axis, tile=1):
    """core_nvfp4.cuh: S, the stored scale, the factor of a block; values times both."""
    moved = np.moveaxis(array, axis, -1)
    rows, width = moved.shape
    blocks = moved.reshape(rows // tile, tile, width // 16, 16).swapaxes(1, 2)
    amax = np.abs(array).max()
    encode = min(F(2688) / amax, np.finfo(F).max)
    block_amax = np.abs(blocks).max(axis=(2, 3))
    ratio = np.minimum(block_amax * (encode * (F(1) / F(6))), F(448))
    stored = rounded(ratio, E4M3)
    factor = np.minimum(F(1) / (stored * (F(1) / encode)), np.finfo(F).max)
    codes = rounded(np.clip(blocks * factor[..., None, None], -6, 6), GRID)
    values = codes * stored[..., None, None] * (amax / F(2688))
    back = values.swapaxes(1, 2).reshape(rows, width)
    return np.moveaxis(back, -1, axis)


def test_transformer_engine_without_random_bits():
    """NVFP4BlockScaling with stochastic rounding and the rotation disabled."""
    data = x, w, dy = arrays(64, 48, 32, seed=4)
    nvfp4 = recipes.get("nvfp4")
    plain = Operand("nvfp4")
    recipe = replace(nvfp4, dgrad_dy=plain, wgrad_dy=plain, wgrad_x=plain)
    weight = transformer_engine(w, 1, tile=16)
    expected = (
        rn.matmul(transformer_engine(x, 1), weight.T),
        rn.matmul(transformer_engine(dy, 1), weight),
        rn.matmul(transformer_engine(dy, 0).T, transformer_engine(x, 0)),
    )
    assert equal(run(recipe, data), expected) == [True] * 3


def test_transformer_engine_rotation():
    """x, and dY without its random bits, times diag(signs) H16, rounded to BF16."""
    data = x, _, dy = arrays(64, 48, 32, seed=5)
    nvfp4 = recipes.get("nvfp4")
    recipe = replace(nvfp4, wgrad_dy=replace(nvfp4.wgrad_x))
    signs = [1, 1, 1, -1, 1, -1, -1, -1, -1, -1, -1, 1, -1, 1, -1, -1]
    h = np.ones((1, 1))
    for _ in range(4):
        h = np.block([[h, h], [h, -h]])
    matrix = np.diag(signs) @ h / 4

    def turned(array):
        runs = array.T.reshape(array.shape[1], -1, 16).astype(np.float64) @ matrix
        return rn.round_to(runs.reshape(array.shape[1], -1).T, rn.BF16)

    a, b = (transformer_engine(turned(array), 0) for array in (dy, x))
    assert np.array_equal(run(recipe, data)[2], rn.matmul(a.T, b))


def tseng(blocks, uniform):
    """mxfp4-llm: floor(log2 amax) - 2, times 3/4, plus a uniform number, rounded down."""
    amax = np.abs(blocks).max(axis=-1, keepdims=True)
    scale = np.exp2(np.floor(np.log2(amax)) - 2)
    y = np.abs(blocks) / scale * F(0.75)
    step = np.where(y < 2, 0.5, np.where(y < 4, 1, 2))
    moved = np.floor(y.astype(np.float64) / step + uniform) * step
    return (np.copysign(moved, blocks) * scale).astype(F)


def test_tseng():
    data = _, w, dy = arrays(64, 64, 64, seed=6)
    notes = Notes()
    recipe = recipes.get("tseng-unrotated")
    _, dx, _ = run(recipe, data, notes=notes, seed=5, step=9, layer="up")
    operands = []
    for role, array, axis in (("dgrad_dy", dy, 1), ("dgrad_w", w, 0)):
        words = rn.autograd.Stream(5, 9, f"up.{role}").words(array.shape)
        uniform = (words & 0xFFFFFF) / 2**24
        # The fraction's first 24 bits are compared: add what they lack to carry.
        moved, u = (
            np.moveaxis(v, axis, -1).reshape(64, 2, 32) for v in (array, uniform)
        )
        back = np.moveaxis(tseng(moved, u).reshape(64, 64), -1, axis)
        operands.append(back)
        assert np.array_equal(notes.operands[role].values, back)
    exact = rn.matmul(*operands)
    assert np.array_equal(dx, exact * F(16 / 9))


def test_quartet_ii_scales():
    """MS-EDEN from its formulas: s_dec, E4M3 scales, S, and codes with ties away."""
    size, notes = 32, Notes()
    data = arrays(size, size, size, seed=7)
    run("quartet-ii-32", data, notes=notes)
    taken = notes.operands["dgrad_dy"]
    unit, limit = F(6 / (17 / 16 * 0.93)), F(255.99)
    amax = np.abs(taken.source).max()
    s_dec = amax / limit / unit
    blocks = taken.source.reshape(size, 2, 16)
    first = rounded(np.abs(blocks).max(axis=-1) / unit / s_dec, E4M3)
    y = blocks / (first * s_dec)[..., None]
    q = rounded(y, GRID, away=True)
    assert np.array_equal(
        rn.decode(taken.quantized.codes, rn.E2M1), q.reshape(size, -1)
    )
    wide = y.astype(np.float64)
    shrinkage = (wide * wide).sum(axis=(1, 2)) / (wide * q).sum(axis=(1, 2))
    corrected = first * shrinkage[:, None]
    found = rn.decode(taken.quantized.scales, rn.UE4M3, np.float64)
    low = E4M3[np.searchsorted(E4M3, corrected, "right") - 1]
    high = E4M3[np.searchsorted(E4M3, corrected, "right")]
    assert ((found == low) | (found == high)).all()
    assert 0 < np.mean(found == high) < 1


def test_row_sr_never_clips():
    notes = Notes()
    run("row-sr", arrays(seed=8), notes=notes)
    for role, taken in notes.operands.items():
        q = taken.quantized
        scale = np.abs(taken.source) / rn.dequantize(
            replace(q, codes=np.full_like(q.codes, 2))
        )
        assert 3 < 6 * scale.max() <= 6, role


@pytest.mark.filterwarnings("ignore")
def test_torchao_nvfp4():
    """Operands of torchao's inference path, and the product of what they stand for."""
    torch = pytest.importorskip("torch")
    nvfp4 = pytest.importorskip("torchao.prototype.mx_formats.nvfp4_tensor")
    data = x, w, _ = arrays(64, 48, 32, seed=9)
    found = run(recipe_of(Operand("nvfp4_torchao")), data)[0]
    operands = []
    for array in (x, w):
        tensor = torch.from_numpy(array.copy())
        scale = nvfp4.per_tensor_amax_to_scale(tensor.abs().max())
        scales, packed = nvfp4.nvfp4_quantize(tensor, 16, scale)
        codes = rn.unpack(packed.view(torch.uint8).numpy().reshape(-1), 4, array.size)
        stored = rn.decode(scales.view(torch.uint8).numpy().reshape(-1), rn.UE4M3)
        both = np.repeat(stored * F(scale.item()), 16)
        operands.append((rn.decode(codes, rn.E2M1) * both).reshape(array.shape))
    assert np.array_equal(found, rn.matmul(operands[0], operands[1].T))


def test_rotation_alone_changes_nothing_in_exact_arithmetic():
    """H4 is exact on small integers, so a rotated FP32 layer is the plain one."""
    rng = np.random.default_rng(10)
    data = [rng.integers(-8, 9, size=(16, 16)).astype(F) for _ in range(3)]
    turned = recipe_of(Operand(rn.FP32, rotation=Rotation(4, "step")))
    plain = recipe_of(None)
    assert equal(run(turned, data), run(plain, data)) == [True] * 3
