"""Graphcore's recipes: UE5M3 block scaling, and the best of the design space."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import (
    UE5M3FP4_ENCODE,
    UE5M3FP4_HELD,
    BlockFormat,
    ScaleRule,
    TensorScale,
)
from refnum.blocks.arithmetic import ENCODE
from refnum.formats import E2M1, UE8M0, Cast, Rounding
from refnum.recipes.details import Amax
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import HEAD, MIDPOINT_8
from refnum.recipes.recipe import Override, Recipe
from refnum.recipes.registry import publish
from refnum.recipes.rotation import Rotation

__all__ = ["MXFP4_ENCODE", "UE5M3FP4_ENCODE_UP"]

_HELD = Amax("held", 50)
_TILES = replace(UE5M3FP4_HELD, block=(16, 16), name="ue5m3fp4_held_16x16")
_gradient = Operand(UE5M3FP4_HELD, cast=MIDPOINT_8, amax=_HELD)
_activation = Operand(UE5M3FP4_HELD, amax=_HELD)
_ue5m3 = Recipe(
    fprop_x=_activation,
    fprop_w=Operand(_TILES, amax=_HELD),
    dgrad_dy=_gradient,
    dgrad_w=Operand(None, source="codes"),
    wgrad_dy=_gradient,
    wgrad_x=_activation,
    overrides=HEAD,
    name="ue5m3",
    reference="Hu et al., arXiv 2609.02846, and its code ue5m3-fp4",
    read="UE5M3 of largest value 61440, target 448, one tensor reference for each "
    "of activation, weight and gradient of a layer, refreshed every 50 steps and "
    "held exactly; 16 x 16 tiles for weights; stochastic rounding of gradients "
    "with 8 midpoint bits; no rotation, no layer left in BF16.",
    inferred="Products are the numerics' own; the paper's model of the native FP4 "
    "product adds groups of 64.",
)
_FAR = replace(
    UE5M3FP4_HELD, tensor_scale=TensorScale(2048.0), name="ue5m3fp4_held_2048"
)
publish(
    _ue5m3,
    replace(
        _ue5m3,
        overrides=(
            *HEAD,
            Override(
                replace(
                    _ue5m3,
                    wgrad_dy=replace(_gradient, format=_FAR),
                    overrides=(),
                    name="ue5m3, target 2048 for wgrad_dy",
                ),
                kinds=("mlp",),
                last=8,
                names=("*.down", "*.down_proj"),
            ),
        ),
        name="ue5m3-2048",
        read=_ue5m3.read.replace(
            "target 448,",
            "target 448, and 2048 for the gradient in wgrad of the down "
            "projections in the last eight blocks of 52,",
        ),
    ),
)

_TOWARD_POSITIVE = Cast(Rounding.TOWARD_POSITIVE)
MXFP4_ENCODE = BlockFormat(
    E2M1,
    UE8M0,
    32,
    ScaleRule("encode_up", _TOWARD_POSITIVE, arithmetic=ENCODE, unit="power"),
    tensor_scale=TensorScale(1.0),
    convention="encode",
    name="mxfp4_encode",
)
"""An encode scale 4 / amax, rounded up to a power of two, with a tensor scale."""

UE5M3FP4_ENCODE_UP = replace(
    UE5M3FP4_ENCODE,
    rule=replace(UE5M3FP4_ENCODE.rule, cast=_TOWARD_POSITIVE, name="encode_up"),
    name="ue5m3fp4_encode_up",
)
"""An encode scale 6 / amax, rounded up to UE5M3, with a tensor scale."""

_SR = Cast(Rounding.STOCHASTIC_C, random_bits=16)


def _best(fmt: BlockFormat, size: int, name: str) -> Recipe:
    turned = Rotation(size, "step", order="signs_last")
    nearest = Operand(fmt, rotation=turned)
    drawn = Operand(fmt, cast=_SR, rotation=turned)
    return Recipe(
        fprop_x=nearest,
        fprop_w=nearest,
        dgrad_dy=drawn,
        dgrad_w=nearest,
        wgrad_dy=drawn,
        wgrad_x=nearest,
        overrides=HEAD,
        name=name,
        reference="Hu, Luschi and Balanca, arXiv 2509.17791, and its released simulator",
        read="The abstract's best combination: Hadamard rotation, tensor scaling and "
        "stochastic rounding. From the code: the encode scale F / amax * g is rounded "
        "up, blocks of the rotation are those of the scale, its signs are new at every "
        "call, 16 random bits after rounding the fraction to nearest.",
        inferred="That stochastic rounding is for gradients, and that all three products "
        "are rotated. Signs flip the results of the rotation, as in the code, so "
        "rounding to nearest does not notice them. refnum computes scales in float32; "
        "the code in bfloat16.",
    )


publish(
    _best(MXFP4_ENCODE, 32, "elucidating-best"),
    _best(UE5M3FP4_ENCODE_UP, 16, "elucidating-best-ue5m3"),
)
