"""Designs mean the recipes that they name."""

from dataclasses import fields, replace

import numpy as np
import pytest

from refnum import recipes
from refnum.blocks import MXFP4, NVFP4, UE5M3FP4_ENCODE, ChosenFormat
from refnum.nn import QuantizedProducts
from refnum.recipes.published.graphcore import MXFP4_ENCODE, UE5M3FP4_ENCODE_UP
from refnum.studies import Design, design_of, format_of, recipe_of, schedule_of

from ._studies import NVFP4_LIKE


def products(recipe):
    """Y, dX and dW of one layer under a recipe."""
    rng = np.random.default_rng(0)
    x, w, dy = (
        (rng.normal(size=shape) * 10).astype(np.float32)
        for shape in ((64, 96), (32, 96), (64, 32))
    )
    layer = QuantizedProducts(recipe, seed=3, layer="layer")
    layer.begin(1)
    y, saved = layer.forward(x, w)
    return y, *layer.backward(dy, saved, (True, True))


@pytest.mark.parametrize(
    ("name", "design"),
    [
        ("mxfp4", Design()),
        ("mxfp4-nvidia", Design(scale_rounding="rceil")),
        (
            "fp4-all-the-way",
            replace(NVFP4_LIKE, stochastic="dgrad_dy+wgrad_dy+wgrad_x"),
        ),
    ],
)
def test_components_make_the_published_recipe(name, design):
    for ours, theirs in zip(
        products(recipe_of(design)), products(recipes.get(name)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("design", "fmt"),
    [
        (Design(), MXFP4),
        (NVFP4_LIKE, NVFP4),
        (Design(convention="encode", tensor_scale=True), MXFP4_ENCODE),
        (
            replace(NVFP4_LIKE, scale="ue5m3_ieee", convention="encode"),
            UE5M3FP4_ENCODE_UP,
        ),
        (
            Design(
                scale="ue5m3_ieee",
                block=16,
                convention="encode",
                scale_rounding="nearest_even",
                tensor_scale=True,
            ),
            UE5M3FP4_ENCODE,
        ),
    ],
)
def test_formats_are_the_presets(design, fmt):
    def facts(one):
        return replace(one, name="", rule=replace(one.rule, name=""))

    assert facts(format_of(design)) == facts(fmt)


def test_four_over_six_is_a_choice():
    assert isinstance(format_of(replace(NVFP4_LIKE, four_over_six=True)), ChosenFormat)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"random_bits": 4}, {}),
        ({"signs": "fixed", "rotation_size": 64}, {}),
        ({"rotation": "dgrad+wgrad"}, {"rotation": "backward"}),
        ({"rotation": "wgrad+dgrad+fprop"}, {"rotation": "all"}),
        ({"stochastic": "wgrad_dy+dgrad_dy"}, {"stochastic": "dy"}),
        ({"gemms": "forward", "stochastic": "dy"}, {"gemms": "fprop"}),
        (
            {"gemms": "wgrad", "rotation": "all"},
            {"gemms": "wgrad", "rotation": "wgrad"},
        ),
        ({"rotation": "all", "rotation_size": 32}, {"rotation": "all"}),
        ({"switch_gemms": "fprop"}, {}),
        ({"recipe": "nvfp4", "block": 8, "rotation": "all"}, {"recipe": "nvfp4"}),
        ({"gemms": "backward", "slope": "dge"}, {"gemms": "backward"}),
    ],
)
def test_equal_recipes_are_equal_designs(one, other):
    assert Design(**one) == Design(**other)
    assert hash(Design(**one)) == hash(Design(**other))


def test_facts_come_back():
    design = Design(scale="ue5m3", rotation="wgrad", switch=0.1, stochastic="dy")
    assert design_of(design.facts()) == design
    assert set(design.facts()) == {"scale", "rotation", "switch", "stochastic"}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"scale": "e8m0"}, "ue8m0"),
        ({"block": "16"}, "an integer"),
        ({"block": 0}, "positive"),
        ({"tensor_scale": 1}, "true or false"),
        ({"rotation": "dy"}, "fprop"),
        ({"stochastic": "gradients"}, "wgrad_dy"),
        ({"gemms": "none"}, "nothing to quantise"),
        ({"switch": 1.0}, "less than 1"),
        ({"switch": float("nan")}, "a number"),
        ({"blocks": 16}, "'blocks'"),
    ],
)
def test_bad_fields(facts, said):
    with pytest.raises(ValueError, match=said):
        design_of(facts)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"recipe": "nvfp5"}, "nvfp4"),
        ({"scale_rounding": "nearest_even"}, "floor"),
        ({"scale": "ue4m3", "scale_rounding": "rceil"}, "toward_positive"),
        ({"four_over_six": True}, "ue4m3"),
        ({"amax": "held", "period": 5}, "tensor scale"),
        ({"tiles": True, "rotation": "all"}, "codes"),
        ({"slope": "no"}, "ste"),
    ],
)
def test_impossible_recipes(facts, said):
    with pytest.raises(ValueError, match=said):
        recipe_of(design_of(facts))


def test_roles_that_are_not_quantised_stay():
    recipe = recipe_of(Design(gemms="backward"))
    assert recipe.fprop_x is recipe.fprop_w is None
    assert recipe.dgrad_w.format.name == "ue8m0/32"


def test_requantised_operands_come_from_the_forward_copy():
    recipe = recipe_of(Design(requantized=True))
    sources = {role: one.source for role, one in recipe.operands.items()}
    assert [r for r, s in sources.items() if s == "forward"] == ["dgrad_w", "wgrad_x"]


def test_the_switch_takes_the_last_share_of_the_steps():
    schedule = schedule_of(Design(switch=0.2), 50)
    assert schedule.recipe_at(40).name == "ue8m0/32, switched for the last 20 %"
    assert schedule.recipe_at(41) is None
    fprop = schedule_of(Design(switch=0.2, switch_gemms="fprop"), 50).recipe_at(41)
    assert fprop.fprop_x is None
    assert fprop.wgrad_x is not None


def test_names_tell_designs_apart():
    changes = {
        "element": "e1m2",
        "scale": "ue4m3",
        "block": 8,
        "convention": "encode",
        "scale_rounding": "rceil",
        "tensor_scale": True,
        "tiles": True,
        "gemms": "wgrad",
        "stochastic": "dy",
        "rotation": "wgrad",
        "slope": "dge",
        "requantized": True,
        "four_over_six": True,
        "outliers": 0.99,
        "switch": 0.5,
        "recipe": "nvfp4",
    }
    names = [str(Design(**{name: value})) for name, value in changes.items()]
    assert len({*names, str(Design())}) == len(changes) + 1
    tied = {"random_bits", "rotation_size", "signs", "amax", "period", "switch_gemms"}
    assert {field.name for field in fields(Design)} == set(changes) | tied


def test_techniques_are_counted():
    assert Design().techniques() == ()
    many = Design(tensor_scale=True, stochastic="dy", rotation="all", slope="dge")
    assert len(many.techniques()) == 4
