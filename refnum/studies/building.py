"""From a design to the recipe that a model trains under."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import (
    CEIL,
    EVEN,
    FLOOR,
    RCEIL,
    BlockFormat,
    ChosenFormat,
    ScaleRule,
    TensorScale,
    four_over_six,
)
from refnum.blocks.arithmetic import DIVIDE, ENCODE, TRANSFORMER_ENGINE
from refnum.formats import UE4M3, UE8M0, Cast, Rounding
from refnum.formats import format as element_format
from refnum.recipes import (
    ROLES,
    Amax,
    Operand,
    Outliers,
    Override,
    Recipe,
    Rotation,
    Schedule,
    Slope,
    Switch,
    get,
)
from refnum.studies.design import Design

__all__ = ["format_of", "recipe_of", "schedule_of"]

_POWER_RULES = {"floor": FLOOR, "ceil": CEIL, "even": EVEN, "rceil": RCEIL}
_TARGET = 448.0  # block scale of the tensor's largest magnitude, as in NVFP4


def recipe_of(design: Design) -> Recipe:
    """Return the recipe of a design, without the switch at its end.

    Raises
    ------
    ValueError
        If there can be no such recipe; the message says why.

    Examples
    --------
    >>> from refnum.studies import Design, recipe_of
    >>> str(recipe_of(Design(stochastic="dy")).wgrad_dy)
    'ue8m0/32 stochastic_a 8 bits'
    """
    if design.recipe:
        return get(design.recipe)
    fprop_x, fprop_w, dgrad_dy, dgrad_w, wgrad_dy, wgrad_x = (
        _operand(design, role) for role in ROLES
    )
    return Recipe(
        fprop_x,
        fprop_w,
        dgrad_dy,
        dgrad_w,
        wgrad_dy,
        wgrad_x,
        overrides=(Override(None, kinds=("head",)),),
        padded=True,
        name=str(design),
    )


def schedule_of(design: Design, steps: int) -> Recipe | Schedule:
    """Return what holds over a training: a recipe, or one and a switch at its end.

    Parameters
    ----------
    design : Design
        The design.
    steps : int
        Of the training.
    """
    recipe = recipe_of(design)
    last = round(design.switch * steps)
    if not last:
        return recipe
    return Schedule(recipe, (Switch(None, steps - last + 1, gemms=design.switched),))


def format_of(design: Design, *, tile: bool = False) -> BlockFormat | ChosenFormat:
    """Return the block format of a design's operands.

    Parameters
    ----------
    design : Design
        The design.
    tile : bool
        Whether blocks are square tiles.
    """
    size = (design.block, design.block) if tile else design.block
    if design.four_over_six:
        return _four_over_six(design, size)
    scale, outer = element_format(design.scale), None
    if design.tensor_scale:
        # An encode scale is relative to the largest magnitude, and so is a power of
        # two; other scales fill their format up to the target.
        relative = design.convention == "encode" or scale == UE8M0
        outer = TensorScale(1.0 if relative else _TARGET)
    return BlockFormat(
        element_format(design.element),
        scale,
        size,
        _rule(design),
        tensor_scale=outer,
        convention=design.convention,
        name=f"{design.scale}/{design.block}" + f"x{design.block}" * tile,
    )


def _rule(design: Design) -> ScaleRule:
    rounding = design.scale_rounding
    powers = design.scale == "ue8m0"
    if design.convention == "encode":
        cast = Cast(_rounding(rounding or "toward_positive"))
        if powers:
            return ScaleRule("encode", cast, arithmetic=ENCODE, unit="power")
        # It divides, so it must not be zero.
        least = element_format(design.scale).smallest_subnormal
        return ScaleRule("encode", cast, arithmetic=ENCODE, replace_zero=least)
    if powers:
        name = rounding or "floor"
        if name not in _POWER_RULES:
            raise ValueError(
                f"a ue8m0 decode scale has scale_rounding {', '.join(_POWER_RULES)}, "
                f"not {name!r}"
            )
        rule = _POWER_RULES[name]
        if design.tensor_scale:
            rule = replace(rule, arithmetic=TRANSFORMER_ENGINE)
        return rule
    arithmetic = TRANSFORMER_ENGINE if design.tensor_scale else DIVIDE
    cast = Cast(_rounding(rounding or "nearest_even"))
    return ScaleRule("decode", cast, arithmetic=arithmetic)


def _rounding(name: str) -> Rounding:
    if name in _POWER_RULES:
        raise ValueError(
            f"scale_rounding {name!r} is for ue8m0 decode scales; nearest_even, "
            "toward_positive and toward_zero are for others"
        )
    return Rounding(name)


def _four_over_six(design: Design, size: int | tuple[int, int]) -> ChosenFormat:
    fits = design.convention == "decode" and not design.scale_rounding
    if not (fits and design.tensor_scale and element_format(design.scale) == UE4M3):
        raise ValueError(
            "four_over_six needs ue4m3 decode scales rounded to nearest_even under a "
            "tensor scale"
        )
    if design.element != "e2m1":
        raise ValueError(f"four_over_six needs e2m1 elements, not {design.element}")
    return four_over_six(block=size)


def _operand(design: Design, role: str) -> Operand | None:
    """Return the operand of one role; None leaves it unquantised."""
    gemm, tensor = ROLES[role].gemm, ROLES[role].tensor
    if gemm not in design.quantized:
        return None
    forward = "fprop" in design.quantized
    tile = design.tiles and tensor == "w"
    if tile and role == "dgrad_w" and forward:
        return Operand(None, source="codes")
    again = design.requantized and role in ("dgrad_w", "wgrad_x")
    drawn = role in design.stochastic_roles
    cast = Cast(Rounding.STOCHASTIC_A, random_bits=design.random_bits)
    in_fprop_w = role == "fprop_w" and design.slope != "ste"
    clamped = role == "fprop_x" and design.outliers > 0
    return Operand(
        format_of(design, tile=tile),
        cast=cast if drawn else None,
        rotation=_rotation(design) if gemm in design.rotated else None,
        source="forward" if again else "original",
        amax=Amax(design.amax, design.period),
        slope=Slope(design.slope) if in_fprop_w else Slope(),
        outliers=Outliers(design.outliers) if clamped else None,
    )


def _rotation(design: Design) -> Rotation:
    return Rotation(design.rotation_size or design.block, design.signs)
