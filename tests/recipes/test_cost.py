"""What recipes cost, beside the published figures and beside counts by hand."""

import pytest

import refnum as rn
from refnum import recipes
from refnum.recipes import (
    IMPLIED_SPEEDS,
    STATED_SPEEDS,
    LinearShape,
    ModelShape,
    Operand,
    Recipe,
    Rotation,
    SpeedMap,
    cost_of,
    implied_speed,
)

LLAMA_7B = ModelShape.llama(4096, 11008, layers=32, context=4096)
EXPLORING = recipes.get("exploring-fp4")
ONE = ModelShape((LinearShape("layer", "mlp", 64, 128, 256),))


def percent(recipe, speeds, model=LLAMA_7B):
    return round(100 * cost_of(recipe, model, speeds).relative, 1)


class TestPublished:
    """arXiv 2502.11458, its split of a 7B model and its table of costs."""

    def test_shares(self):
        shares = LLAMA_7B.shares()
        assert [round(100 * shares[k], 2) for k in ("mlp", "attention", "core")] == [
            57.33,
            28.44,
            14.22,
        ]

    def test_all_fp4_at_twice_the_speed(self):
        assert percent(recipes.get("mxfp4"), SpeedMap(fp4=2)) == 57.1

    def test_stated_speeds_do_not_give_the_table(self):
        assert percent(recipes.get("mxfp4"), STATED_SPEEDS) == 35.7
        assert percent(EXPLORING, STATED_SPEEDS) == 52.3

    def test_the_recipe_needs_fp8_at_1_57(self):
        speed = implied_speed(EXPLORING, LLAMA_7B, 0.661, "fp8", SpeedMap(fp4=2))
        assert speed == pytest.approx(1.575, abs=0.001)
        assert percent(EXPLORING, SpeedMap(fp4=2, fp8=speed)) == 66.1
        assert percent(EXPLORING, IMPLIED_SPEEDS) == 66.2

    @pytest.mark.parametrize(("fp8", "cost"), [(1.4, 71.4), (1.5, 68.2), (1.6, 65.4)])
    def test_other_speeds(self, fp8, cost):
        assert percent(EXPLORING, SpeedMap(fp4=2, fp8=fp8)) == pytest.approx(
            cost, 0.001
        )

    def test_full_precision(self):
        for recipe in (None, recipes.get("bf16")):
            cost = cost_of(recipe, LLAMA_7B, SpeedMap(elementwise=1 / 32))
            assert cost.relative == 1
            assert cost.operations == 0


class TestCounts:
    def count(self, operand, model=ONE):
        recipe = Recipe(operand, None, None, None, None, None)
        (found,) = cost_of(recipe, model).operands
        return found

    def test_quantisation(self):
        found = self.count(Operand("mxfp4"))
        n = 64 * 128
        assert found.quantization == 3 * n + n // 32
        assert found.bytes_moved == 2 * n + n // 2 + n // 32
        assert (found.rotation, found.random_bits, found.passes) == (0, 0, 0)

    def test_tensor_scale_is_one_more_pass(self):
        n = 64 * 128
        found = self.count(Operand("nvfp4"))
        assert found.passes == 1
        assert found.bytes_moved == 4 * n + n // 2 + n // 16
        held = self.count(Operand("nvfp4", amax=recipes.Amax("held", 50)))
        assert held.passes == pytest.approx(0.02)

    def test_random_bits(self):
        drawn = rn.Cast(rn.Rounding.STOCHASTIC_A, random_bits=8)
        assert self.count(Operand("mxfp4", cast=drawn)).random_bits == 8 * 64 * 128

    def test_chosen_encodings_are_tried(self):
        n = 64 * 128
        found = self.count(Operand("nvfp4_four_over_six"))
        assert found.quantization == 2 * (3 * n + n // 16) + 4 * n

    def test_rotation(self):
        turned = Operand("mxfp4", rotation=Rotation(32))
        recipe = Recipe(turned, turned, None, None, None, None)
        one, other = cost_of(recipe, ONE).operands
        assert one.rotation == 5 * 64 * 128
        assert other.rotation == 5 * 128 * 256

    def test_products_by_precision(self):
        recipe = Recipe(Operand("mxfp4"), Operand("mxfp8_e4m3"), None, None, None, None)
        macs = 64 * 128 * 256
        cost = recipe.cost(ONE, SpeedMap(fp8=2))
        assert cost.macs == {"bf16": 2 * macs, "fp8": macs}
        assert cost.relative == pytest.approx((2 + 1 / 2) / 3)

    def test_overhead_has_a_price(self):
        recipe = recipes.get("mxfp4")
        free = recipe.cost(ONE, SpeedMap()).relative
        cost = recipe.cost(ONE, SpeedMap(elementwise=1 / 32))
        macs = sum(cost.macs.values())
        assert cost.relative == pytest.approx(free + 32 * cost.operations / macs)
        slow = recipe.cost(ONE, SpeedMap(bandwidth=1 / 1000))
        assert slow.relative == pytest.approx(free + 1000 * slow.bytes_moved / macs)

    def test_overrides(self):
        model = ModelShape.llama(64, 128, layers=4, context=32, vocabulary=96)
        cost = recipes.get("nvfp4").cost(model)
        head = [p for p in cost.products if p.layer == "head"]
        assert {p.precision for p in head} == {"bf16"}

    @pytest.mark.parametrize("name", recipes.names())
    def test_every_recipe_has_a_cost(self, name):
        cost = recipes.get(name).cost(LLAMA_7B, IMPLIED_SPEEDS)
        assert 0.5 < cost.relative <= 1
        assert sum(cost.macs.values()) == LLAMA_7B.macs
        assert "of the time of BF16" in str(cost)


class TestRefusals:
    def test_speeds(self):
        with pytest.raises(ValueError, match="fp4 is 0; a speed is positive"):
            SpeedMap(fp4=0)
        with pytest.raises(ValueError, match="precision is 'fp3'"):
            STATED_SPEEDS.of("fp3")

    def test_shapes(self):
        with pytest.raises(ValueError, match="rows is 0"):
            LinearShape("x", "mlp", 0, 1, 1)

    def test_impossible_cost(self):
        with pytest.raises(ValueError, match="no speed of fp4"):
            implied_speed(recipes.get("mxfp4"), LLAMA_7B, 0.1, "fp4")
