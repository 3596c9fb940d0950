"""Recipes: what is refused and why, overrides, and the published table of roles."""

from dataclasses import replace

import pytest

import refnum as rn
from refnum import recipes
from refnum.recipes import (
    GEMMS,
    ROLES,
    Amax,
    Fallback,
    Gemm,
    KernelSchedule,
    Operand,
    Outliers,
    Override,
    Recipe,
    Rotation,
    Slope,
    recipe_of_layer,
)

MX, NV = Operand("mxfp4"), Operand("nvfp4")
H16, H32 = Rotation(16), Rotation(32)
SR = rn.Cast(rn.Rounding.STOCHASTIC_A, random_bits=8)
PLAIN = Recipe(MX, MX, MX, MX, MX, MX)


def changed(**fields):
    return lambda: replace(PLAIN, **fields)


IMPOSSIBLE = {
    "unknown format": (lambda: Operand("mxfp5"), "near names: .*mxfp4"),
    "unknown recipe": (lambda: recipes.get("nvfp5"), "near names: nvfp4"),
    "unknown source": (lambda: Operand("mxfp4", source="copy"), "forward, codes are"),
    "size": (lambda: Rotation(48), "power of two from 2 to 1024"),
    "signs": (lambda: Rotation(16, "random"), "none, transformer_engine, fixed, step"),
    "signs of 16": (lambda: Rotation(32, "transformer_engine"), "are 16, not 32"),
    "cast alone": (lambda: Operand(None, cast=SR), "cast has no meaning"),
    "prescale": (lambda: Operand("mxfp4", prescale=0.0), "positive and finite"),
    "prescale alone": (lambda: Operand(None, prescale=0.5), "no meaning without"),
    "eden, not turned": (lambda: Operand("nvfp4_e1m2", eden=True), "needs a rotation"),
    "eden in a tile": (
        lambda: Operand("nvfp4_16x16", eden=True, rotation=H16),
        "block along one axis divides",
    ),
    "held without scale": (
        lambda: Operand("mxfp4", amax=Amax("held", 50)),
        "no tensor scale, so its amax cannot be held",
    ),
    "amax kind": (lambda: Amax("old"), "current, delayed, held are allowed"),
    "slope kind": (lambda: Slope("cubic"), "ste, clip, trust, dge"),
    "share": (lambda: Outliers(1.5), "between 0.5 and 1"),
    "threshold": (lambda: Fallback(0.0), "must be positive"),
    "codes and more": (
        lambda: Operand("mxfp4", source="codes"),
        "brings the forward pass's format",
    ),
    "correction": (lambda: Gemm(correction=-1.0), "positive and finite"),
    "instruction": (lambda: Gemm("sm90.wgmma.e9m9"), "sm90"),
    "one rotated": (
        changed(wgrad_x=Operand("mxfp4", rotation=H32)),
        "wgrad: wgrad_x is rotated by H32 and wgrad_dy is not",
    ),
    "rotations differ": (
        changed(
            wgrad_x=Operand("mxfp4", rotation=H32),
            wgrad_dy=Operand("mxfp4", rotation=H16),
        ),
        "wgrad_dy is rotated by H16 and wgrad_x by H32",
    ),
    "rotated, unquantised": (
        changed(fprop_x=None, fprop_w=Operand("mxfp4", rotation=H32)),
        "fprop_w is rotated by H32 and fprop_x is not",
    ),
    "prescale uncorrected": (
        changed(dgrad_w=Operand("mxfp4", prescale=0.75)),
        "multiply to 0.75.*correction of 1.33333 is needed",
    ),
    "needless correction": (
        changed(wgrad=Gemm(correction=16 / 9)),
        "a correction of 1 is needed",
    ),
    "codes across": (
        changed(dgrad_w=Operand(None, source="codes")),
        "run along another axis; square tiles",
    ),
    "codes of nothing": (
        changed(fprop_w=None, dgrad_w=Operand(None, source="codes")),
        "fprop_w is not quantised, so it has no codes",
    ),
    "copy of dY": (
        changed(dgrad_dy=Operand("mxfp4", source="forward")),
        "only dgrad_w and wgrad_x have",
    ),
    "slope in the backward pass": (
        changed(dgrad_w=Operand("mxfp4", slope=Slope("clip"))),
        "belongs to fprop_x or fprop_w",
    ),
    "slope in rotated coordinates": (
        changed(
            fprop_x=Operand("mxfp4", rotation=H32, slope=Slope("clip")),
            fprop_w=Operand("mxfp4", rotation=H32),
        ),
        "dgrad_w must be made from the rotated forward copy",
    ),
    "instruction of others": (
        changed(fprop=Gemm("sm90.wgmma.e4m3.e4m3.f32")),
        "takes e4m3 codes for fprop_x, which is mxfp4",
    ),
    "average of dY": (
        changed(dgrad_dy=Operand("mxfp4", average=0.9)),
        "rounded towards by fprop_w alone",
    ),
    "average": (lambda: Operand("mxfp4", average=1.0), "from 0 to below 1"),
    "override of nothing": (lambda: Override(None), "names kinds, blocks or layers"),
    "override of a kind": (lambda: Override(None, kinds=("conv",)), "attention, mlp"),
    "override, unknown": (lambda: Override("mxfp5", first=1), "unknown recipe 'mxfp5'"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_refused_with_the_reason(case):
    make, message = IMPOSSIBLE[case]
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


WRONG_TYPES = {
    "format": lambda: Operand(3),
    "operand": lambda: replace(PLAIN, fprop_x="mxfp4"),
    "product": lambda: replace(PLAIN, fprop=None),
    "override": lambda: replace(PLAIN, overrides=("head",)),
    "recipe of an override": lambda: Override(3, first=1),
    "name": lambda: recipes.get(None),
    "accumulate": lambda: Gemm(accumulate=3),
    "instruction": lambda: KernelSchedule(rn.EXACT),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_wrong_types(case):
    with pytest.raises(TypeError):
        WRONG_TYPES[case]()


def test_shapes():
    operands = recipes.get("nvfp4").operands
    recipes.check_shapes(operands, {"fprop": 32, "dgrad": 48, "wgrad": 16}, "fc", False)
    with pytest.raises(
        ValueError, match=r"fc, fprop_x: blocks of nvfp4 .* 24 elements"
    ):
        recipes.check_shapes(operands, {"fprop": 24}, "fc", False)
    recipes.check_shapes(operands, {"fprop": 24}, "fc", True)
    with pytest.raises(ValueError, match="wgrad_dy: rotation H16"):
        recipes.check_shapes(operands, {"wgrad": 24}, "fc", True)


def test_overrides():
    first = Override(None, kinds=("mlp",), first=1)
    late = Override("mxfp4", last=2)
    named = Override("bf16", names=("blocks.*.query",))
    recipe = replace(PLAIN, overrides=(first, late, named), name="mixed")

    def chosen(name, kind, block):
        found = recipe_of_layer(recipe, name, kind, block, 6)
        return found if found is None else found.name

    assert chosen("blocks.0.up", "mlp", 0) is None
    assert chosen("blocks.0.query", "attention", 0) == "bf16"
    assert chosen("blocks.3.up", "mlp", 3) == "mixed"
    assert chosen("blocks.4.up", "mlp", 4) == "mxfp4"
    assert chosen("blocks.5.query", "attention", 5) == "mxfp4"
    assert chosen("head", "head", None) == "mixed"


def test_the_names_asked_for():
    wanted = (
        "bf16 fp8 mxfp4 nvfp4 ue5m3 elucidating-best elucidating-best-ue5m3 "
        "exploring-fp4 quartet quartet-ii tseng fp4-all-the-way wang-dge-occ "
        "wang-as-released tetrajet tetrajet-v2 ufp4 four-over-six mor row-sr mi355x"
    )
    assert set(wanted.split()) <= set(recipes.names())


def rounding(recipe, role):
    operand = recipe.operands[role]
    if operand is None or operand.source == "codes":
        return "-" if operand is None else "codes"
    if operand.format is None:
        return "kept"
    kind = "sr" if operand.is_stochastic else "eden" if operand.eden else "rne"
    turned = f" h{operand.rotation.size}" if operand.rotation else ""
    copied = " again" if operand.source == "forward" else ""
    return kind + turned + copied


# The published table: fprop x and w, dgrad dY and w, wgrad dY and x.
TABLE = {
    "nvfp4": "rne, rne, sr, codes, sr h16, rne h16",
    "ue5m3": "rne, rne, sr, codes, sr, rne",
    "fp4-all-the-way": "rne, rne, sr, rne, sr, sr",
    "tseng": "rne, rne, sr h64, sr h64, sr h64, sr h64",
    "quartet": "rne h32, rne h32, rne h32, rne h32 again, rne h32, rne h32 again",
    "quartet-ii": "rne, rne, eden h128, eden h128 again, eden h128, eden h128 again",
    "tetrajet": "rne, rne, sr, sr again, sr, sr again",
    "tetrajet-v2": "rne, rne, sr h16, sr h16 again, sr h16, sr h16 again",
    "wang-dge-occ": "rne, rne, -, kept, -, kept",
    "ufp4": "rne h16, rne h16, sr h16, rne h16, sr h16, rne h16",
    "row-sr": "rne, rne, sr, rne, rne h32, rne h32",
    "mi355x": "rne h32, rne h32, rne h32, rne h32, rne h32, rne h32",
}


@pytest.mark.parametrize("name", TABLE)
def test_roles_as_published(name):
    recipe = recipes.get(name)
    assert ", ".join(rounding(recipe, role) for role in ROLES) == TABLE[name]


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_says_where_it_is_from(name):
    recipe = recipes.get(name)
    assert recipe.reference
    assert recipe.read
    assert recipe.inferred or name in ("mxfp4-nvidia",)
    text = recipes.describe(recipe)
    assert all(f"`{role}`" in text for role in ROLES)
    assert recipe == replace(recipe)
    assert hash(recipe) == hash(replace(recipe))
    assert recipe.overrides[0].applies("head", "head", None, 0)


def test_every_product_has_two_roles():
    assert [role for pair in GEMMS.values() for role in pair] == list(ROLES)


def test_what_a_recipe_gathers_cannot_be_written_to():
    recipe = recipes.get("mxfp4")
    for gathered in (recipe.operands, recipe.gemms):
        with pytest.raises(TypeError, match="does not support item assignment"):
            gathered["fprop_x"] = None
    assert dict(recipe.operands) == {role: getattr(recipe, role) for role in ROLES}
    assert dict(recipe.gemms) == {gemm: getattr(recipe, gemm) for gemm in GEMMS}
