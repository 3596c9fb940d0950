"""Recipes over time: switches by step, by product, by layer, and by noise."""

import math

import numpy as np
import pytest

from refnum import recipes
from refnum.recipes import Schedule, Switch, gradient_to_noise, target_precision


def names_at(schedule, steps, layer=""):
    found = [schedule.recipe_at(step, layer) for step in steps]
    return [None if one is None else one.name for one in found]


def test_target_precision():
    schedule = target_precision("exploring-fp4", steps=10, share=0.2)
    assert names_at(schedule, (1, 8, 9, 10)) == ["exploring-fp4"] * 2 + [None] * 2
    to_bf16 = target_precision("exploring-fp4", 10, 0.5, "bf16")
    assert names_at(to_bf16, (5, 6)) == ["exploring-fp4", "bf16"]
    assert names_at(target_precision("mxfp4", 10, 0.0), (10,)) == ["mxfp4"]
    assert names_at(target_precision("mxfp4", 10, 1.0), (1,)) == [None]


def test_fprop_alone():
    schedule = Schedule("nvfp4", (Switch("bf16", at=5, gemms=("fprop",)),))
    before, after = schedule.recipe_at(4), schedule.recipe_at(5)
    bf16 = recipes.get("bf16")
    assert before == recipes.get("nvfp4")
    assert (after.fprop_x, after.fprop_w) == (bf16.fprop_x, bf16.fprop_w)
    assert after.fprop == bf16.fprop
    assert after.dgrad_dy == before.dgrad_dy
    assert after.wgrad_x == before.wgrad_x
    # It was the codes of the forward pass, and is made from the weight now.
    assert after.dgrad_w == before.fprop_w


def test_backward_to_full_precision():
    gemms = ("dgrad", "wgrad")
    schedule = Schedule("fp4-all-the-way", (Switch(None, at=3, gemms=gemms),))
    after = schedule.recipe_at(3)
    assert after.fprop_x == recipes.get("fp4-all-the-way").fprop_x
    backward = ("dgrad_dy", "dgrad_w", "wgrad_dy", "wgrad_x")
    assert [after.operands[role] for role in backward] == [None] * 4


def test_layers():
    switches = (Switch(None, at=2, layers=("blocks.1.*",)), Switch("bf16", at=4))
    schedule = Schedule("mxfp4", switches)
    assert names_at(schedule, (1, 2, 4), "blocks.1.up") == ["mxfp4", None, "bf16"]
    assert names_at(schedule, (1, 2, 4), "blocks.0.up") == ["mxfp4", "mxfp4", "bf16"]


def test_noise_triggers():
    schedule = Schedule("mxfp4", (Switch("bf16", layers=("a*",)),))
    ratios = {"a1": 1.7, "a2": 1.8, "b": 0.1}
    assert schedule.triggered(ratios, {}) == ["a1"]
    assert schedule.triggered(ratios, {"a1": 7}) == []
    assert [schedule.recipe_at(s, "a1", switched={"a1": 7}).name for s in (6, 7)] == [
        "mxfp4",
        "bf16",
    ]


def test_ratio():
    rng = np.random.default_rng(0)
    g = rng.normal(size=(40, 50))
    noise = rng.normal(size=g.shape)
    sigma = math.sqrt(np.mean(noise**2))
    expected = np.linalg.norm(g) / (sigma * math.sqrt(g.size))
    assert gradient_to_noise(g + noise, g) == pytest.approx(expected)
    assert gradient_to_noise(g, g) == math.inf
    assert gradient_to_noise(g, 0 * g) == 0
    with pytest.raises(ValueError, match="differ"):
        gradient_to_noise(g, g[0])


REFUSED = {
    "step": (lambda: Switch("bf16", at=0), "a step from 1 on"),
    "recipe": (lambda: Switch("bf17", at=3), "unknown recipe"),
    "product": (lambda: Switch("bf16", at=3, gemms=("q",)), "fprop, dgrad, wgrad"),
    "ratio": (lambda: Switch("bf16", ratio=math.nan), "positive and finite"),
    "share": (lambda: target_precision("mxfp4", 10, 1.5), "from 0 to 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        make()
