"""Wang et al.: a differentiable gradient estimator, and outliers compensated."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import FP4_PER_CHANNEL, BlockFormat, ScaleRule
from refnum.blocks.arithmetic import ENCODE
from refnum.formats import BF16, E1M2, E2M1, UE8M0, Cast, Format, Rounding
from refnum.recipes.details import Outliers
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import HEAD
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import publish
from refnum.recipes.slopes import Slope

__all__ = ["FP4_WANG", "FP4_WANG_POWER", "INT4_WANG_POWER"]

_TIES_UP = Cast(Rounding.NEAREST_UP)
_REFERENCE = "Wang et al., arXiv 2501.17116, and MS-AMP's code of it"

FP4_WANG = replace(FP4_PER_CHANNEL, element_cast=_TIES_UP, name="fp4_wang")
"""amax / 6 of each token or channel in float32; ties go up."""


def _power(element: Format, cast: Cast, name: str) -> BlockFormat:
    down = Cast(Rounding.TOWARD_ZERO, via=BF16)
    rule = ScaleRule("power_floor", down, arithmetic=ENCODE)
    return BlockFormat(
        element, UE8M0, "row", rule, cast, convention="encode", name=name
    )


FP4_WANG_POWER = _power(E2M1, _TIES_UP, "fp4_wang_power")
"""2^floor(log2(6 / amax)), the quotient rounded to bfloat16 first."""

INT4_WANG_POWER = _power(E1M2, Cast(), "int4_wang_power")
"""The same on -7 to 7, to nearest even: E1M2 counts them in halves."""


def _wang(fmt: BlockFormat, name: str, read: str, inferred: str) -> Recipe:
    kept = Operand(None, source="forward")
    return Recipe(
        fprop_x=Operand(fmt, outliers=Outliers(0.99)),
        fprop_w=Operand(fmt, slope=Slope("dge")),
        dgrad_dy=None,
        dgrad_w=kept,
        wgrad_dy=None,
        wgrad_x=kept,
        overrides=HEAD,
        name=name,
        reference=_REFERENCE,
        read=read,
        inferred=inferred,
    )


_READ = (
    "Fprop alone in FP4, token-wise for activations, channel-wise for weights, by a "
    "table whose ties go up; activations clamped at the quantile 0.99, the sparse rest "
    "multiplied in higher precision; the gradient of the weight times the estimator's "
    "slope, k = 5, at most 3. "
)
_INFERRED = (
    "That the backward products take the quantised values unquantised again; the sparse "
    "product runs in the numerics' precision, not in FP8."
)
publish(
    _wang(
        FP4_WANG,
        "wang-dge-occ",
        _READ + "The scale is amax / 6, as the paper has it.",
        _INFERRED,
    ),
    _wang(
        FP4_WANG_POWER,
        "wang-as-released",
        _READ + "The scale is the power of two below 6 / amax, computed in bfloat16, "
        "as MS-AMP's code has it.",
        _INFERRED,
    ),
    _wang(
        INT4_WANG_POWER,
        "wang-as-released-e1m2",
        _READ.replace("by a table whose ties go up", "to nearest even")
        + "The format is the code's default: -7 to 7.",
        _INFERRED + " The estimator's grid is that of E1M2.",
    ),
)
