"""Largest magnitudes from other steps: delayed scaling, and targets of some layers."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import recipes
from refnum.autograd import Stream
from refnum.nn import GPT2, GPT2Config, QuantizedProducts, quantize_model
from refnum.recipes import Amax, Operand

from ._layers import Notes, arrays


def by_definition(x, element, amax):
    """Values over amax / max in float32, rounded and saturated."""
    scale = np.float32(amax) / np.float32(element.max)
    cast = rn.Cast(saturation=rn.Saturation.FINITE)
    return rn.round_to(x / scale, element, cast) * scale


def test_delayed_scaling():
    products = QuantizedProducts(recipes.get("fp8-delayed"))
    products.observer = notes = Notes()
    growth = {1: 1.0, 2: 4.0, 3: 0.5, 4: 2.0}
    seen = {"x": [], "w": [], "dy": []}
    for step, factor in growth.items():
        data = [np.float32(factor) * array for array in arrays(seed=step)]
        products.begin(step)
        _, saved = products.forward(*data[:2])
        products.backward(data[2], saved, (True, True))
        for array, name, role, element in (
            (data[0], "x", "fprop_x", rn.E4M3),
            (data[1], "w", "fprop_w", rn.E4M3),
            (data[2], "dy", "dgrad_dy", rn.E5M2),
        ):
            own = np.abs(array).max()
            before = seen[name][: step - 1]
            reference = max(before) if before else own
            taken = notes.operands[role]
            expected = by_definition(array, element, reference)
            close = np.isclose(taken.values, expected, rtol=1e-6)
            assert close.mean() > 0.999  # ties may go either way
            assert np.abs(taken.values).max() <= reference * (1 + 1e-6)
            assert (np.abs(array) > reference).any() == (own > reference)
            if len(seen[name]) < step:
                seen[name].append(own)


def test_delayed_scaling_goes_on_from_its_state():
    def fresh(name="fp8-delayed"):
        model = GPT2(GPT2Config(8, 4, 32, 2, 1), Stream(0))
        return quantize_model(model, name)

    layer, (x, w, _) = "blocks.0.attention.query", arrays(seed=1)
    one, other, plain = fresh(), fresh(), fresh("fp8")
    one.begin(1)
    one.products[layer].forward(x * 8, w)
    other.load_state(one.state())
    found = []
    for quantization in (one, other, plain):
        quantization.begin(2)
        found.append(quantization.products[layer].forward(x, w)[0])
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_delayed_amax_needs_one_scale():
    assert Operand("fp8_per_tensor", amax=Amax("delayed", 4)).amax.period == 4
    for fmt in ("mxfp8_e4m3", "fp8_per_row", "bf16"):
        with pytest.raises(ValueError, match="one scale for the tensor"):
            Operand(fmt, amax=Amax("delayed", 4))


def test_targets_of_some_layers():
    model = GPT2(GPT2Config(8, 4, 16, 2, 9), Stream(0))
    quantization = quantize_model(model, "ue5m3-2048")
    limits = {
        name: products.recipe.wgrad_dy.format.tensor_scale.limit
        for name, products in quantization.products.items()
    }
    down = {f"blocks.{k}.mlp.down" for k in range(1, 9)}
    assert {name for name, limit in limits.items() if limit == 2048} == down
    assert {limit for name, limit in limits.items() if name not in down} == {448}


def test_halved_scales():
    operand = recipes.get("row-sr-halved").fprop_w
    plain = replace(operand, format=recipes.get("row-sr").fprop_w.format)
    for share, halves in ((0.51, True), (0.869, True), (0.871, False), (1.0, False)):
        w = np.full((32, 32), share, np.float32)
        scales = [
            float(rn.decode(rn.quantize(w, one.block_format).scales, rn.UE8M0).item())
            for one in (plain, operand)
        ]
        assert scales == [1.0, 0.5 if halves else 1.0]
