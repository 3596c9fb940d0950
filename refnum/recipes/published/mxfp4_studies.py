"""Two studies of MXFP4 on real chips: row-wise stochastic rounding, and MI355X."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import MXFP4
from refnum.blocks.arithmetic import EXACT
from refnum.blocks.rule import ScaleRule
from refnum.formats import Cast, Rounding, Saturation
from refnum.recipes.gemm import Gemm
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import HEAD, PTX_8
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import publish
from refnum.recipes.rotation import Rotation

__all__ = ["MXFP4_TO_ONE"]

_UP = Cast(Rounding.TOWARD_POSITIVE, Saturation.PROPAGATE)
MXFP4_TO_ONE = replace(
    MXFP4,
    rule=ScaleRule(
        "to_one", _UP, arithmetic=EXACT, unit=1.0, clamp=(2.0**-125, 2.0**127)
    ),
    name="mxfp4_to_one",
)
"""The power of two not below the largest magnitude: scaled values end at 1.

Scales are at least 2^-125, so that 6 / scale is finite.
"""

_row = Operand(MXFP4_TO_ONE, prescale=6.0)
_tile = Operand(
    replace(MXFP4_TO_ONE, block=(32, 32), name="mxfp4_to_one_32x32"), prescale=6.0
)
_column = replace(_row, rotation=Rotation(32, "fixed"))
_back = Gemm(correction=1 / 36)
_row_sr = Recipe(
    fprop_x=_row,
    fprop_w=_tile,
    dgrad_dy=replace(_row, cast=PTX_8),
    dgrad_w=replace(_tile),
    wgrad_dy=_column,
    wgrad_x=_column,
    fprop=_back,
    dgrad=_back,
    wgrad=_back,
    overrides=HEAD,
    name="row-sr",
    reference="arXiv 2610.00053, MXFP4 with row-SR and H32",
    read="Scales 2^ceil(log2 amax), values mapped to 6 times their share of it, so that "
    "none clips; weights in tiles of 32 x 32; stochastic rounding of the dgrad copy of "
    "dY alone; H32 with fixed signs for both wgrad operands.",
    inferred="The division by 6 of each operand is made on the result, by 1 / 36. The "
    "second choice of a scale for weights is that of row-sr-halved; 8 random bits.",
)
_halved = replace(
    _tile,
    format=replace(
        MXFP4_TO_ONE,
        block=(32, 32),
        rule=replace(MXFP4_TO_ONE.rule, name="to_one_halved", unit=2 * 0.87),
        name="mxfp4_to_one_halved_32x32",
    ),
)
"""Half the scale where amax / scale < .87: 2^ceil(log2(amax / 1.74))."""

publish(
    _row_sr,
    replace(
        _row_sr,
        fprop_w=_halved,
        dgrad_w=_halved,
        name="row-sr-halved",
        read=_row_sr.read.replace(
            "weights in tiles of 32 x 32",
            "weights in tiles of 32 x 32, whose scale is halved where amax / scale < .87",
        ),
        inferred="The division by 6 of each operand is made on the result, by 1 / 36; "
        "8 random bits.",
    ),
    replace(
        _row_sr,
        wgrad_dy=_row,
        wgrad_x=_row,
        name="row-sr-unrotated",
        read=_row_sr.read.rpartition(";")[0] + "; no rotation.",
    ),
)


def _mi355x(size: int, name: str) -> Recipe:
    return Recipe(
        *(Operand(MXFP4, rotation=Rotation(size)),) * 6,
        overrides=HEAD,
        name=name,
        reference="arXiv 2605.09825, native MXFP4 on MI355X",
        read=f"MXFP4 in all six roles, rounded deterministically after H{size} without "
        "random signs, which with stochastic rounding did not converge.",
        inferred="OCP's scale rule and nearest even.",
    )


publish(_mi355x(32, "mi355x"), _mi355x(16, "mi355x-16"))
