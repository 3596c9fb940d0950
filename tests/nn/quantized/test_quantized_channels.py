"""OutControl in a layer: which channels, in which products, against plain NumPy."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import recipes
from refnum.autograd import Stream, Tensor
from refnum.nn import Linear, QuantizedProducts, quantize_model
from refnum.recipes import Channels, Operand, Rotation, Slope

from ._layers import arrays, recipe_of

RULE = Channels(share=0.1, first=1, steps=2)
MIXED = replace(recipe_of(Operand("nvfp4")), channels=RULE, name="mixed")


def passes(recipe, steps, data):
    """Return the results of each step."""
    products = QuantizedProducts(recipe, 0, "fc")
    found = []
    for step in steps:
        products.begin(step)
        y, saved = products.forward(*data[:2])
        found.append((y, *products.backward(data[2], saved, (True, True))))
    return found


def apart(array, chosen, axis):
    """Quantise outlier columns as MXFP8 and the others as NVFP4."""
    out, others = np.empty_like(array), np.delete(np.arange(array.shape[1]), chosen)
    for part, fmt in ((others, rn.NVFP4), (chosen, rn.MXFP8_E4M3)):
        out[:, part] = rn.dequantize(
            rn.quantize(np.ascontiguousarray(array[:, part]), fmt, axis=axis)
        )
    return out


def test_products():
    data = x, w, dy = arrays(32, 48, 64, seed=1)
    before, still, after = passes(MIXED, (1, 2, 3), data)
    for results in (before, still):
        plain = passes(replace(MIXED, channels=None), (1,), data)[0]
        assert all(np.array_equal(a, b) for a, b in zip(results, plain, strict=True))
    norms = np.sqrt((x.astype(np.float64) ** 2).sum(axis=0))
    chosen = np.argsort(-norms)[:6]  # 10 % of 64
    assert 32 in chosen  # the channel that was made large
    y, dx, dw = after
    assert np.array_equal(y, rn.matmul(apart(x, chosen, 1), apart(w, chosen, 1).T))
    narrow = rn.dequantize(rn.quantize(dy, rn.NVFP4, axis=0))
    wide = rn.dequantize(rn.quantize(dy, rn.MXFP8_E4M3, axis=0))
    mixed = apart(x, chosen, 0)
    expected = rn.matmul(narrow.T, mixed)
    expected[:, chosen] = rn.matmul(wide.T, mixed[:, chosen])
    assert np.array_equal(dw, expected)
    assert np.array_equal(dx, before[1])  # dgrad stays narrow
    exact = x.astype(np.float64) @ w.T
    assert np.square(y - exact).sum() < 0.8 * np.square(before[0] - exact).sum()


def test_as_published():
    recipe = replace(recipes.get("tetrajet-v2-outcontrol"), channels=RULE)
    data = arrays(64, 64, 64, seed=2)
    first, _, third = passes(recipe, (1, 2, 3), data)
    again = passes(recipe, (1, 2, 3), data)[2]
    assert all(np.array_equal(a, b) for a, b in zip(third, again, strict=True))
    x, w, dy = (array.astype(np.float64) for array in data)
    for index, exact in ((0, x @ w.T), (2, dy.T @ x)):
        errors = [np.square(one[index] - exact).sum() for one in (first, third)]
        assert errors[1] < errors[0]


def test_state():
    layer = Linear(32, 32, Stream(0))
    x = Tensor(Stream(1).normal((32, 32)))

    def run(quantization, steps):
        found = None
        for step in steps:
            quantization.begin(step)
            found = layer(x).data
        return found

    whole = quantize_model(layer, MIXED)
    run(whole, (1, 2))
    state = {key: np.copy(value) for key, value in whole.state().items()}
    expected = run(whole, (3,))
    resumed = quantize_model(layer, MIXED)
    resumed.load_state(state)
    assert np.array_equal(run(resumed, (3,)), expected)
    plain = quantize_model(layer, replace(MIXED, channels=None))
    with pytest.raises(ValueError, match="no outlier channels"):
        plain.load_state(state)


WRONG = {
    "unquantised": ({"wgrad_x": None}, "wgrad_x: outlier channels need block formats"),
    "plain format": ({"fprop_x": Operand("bf16")}, "need block formats"),
    "rotated": (
        {
            role: Operand("nvfp4", rotation=Rotation(16))
            for role in ("fprop_x", "fprop_w")
        },
        "H16 mixes channels",
    ),
    "slope": (
        {"fprop_w": Operand("nvfp4", slope=Slope("clip"))},
        "formats and rotations alone",
    ),
    "held": (
        {"fprop_x": Operand("nvfp4", amax=recipes.Amax("held", 2))},
        "formats and rotations alone",
    ),
    "kernel": (
        {"wgrad": recipes.Gemm("sm100.tcgen05.mxf4nvf4.ue4m3.f32")},
        "an accumulator or None is allowed",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_refused(case):
    fields, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        replace(MIXED, **fields)


def test_bad_rules():
    with pytest.raises(ValueError, match="between 0 and 1"):
        Channels(share=1.0)
    with pytest.raises(ValueError, match="must be positive"):
        Channels(steps=0)
    with pytest.raises(TypeError, match="BlockFormat"):
        Channels(format="mxfp8_e4m3")
