"""FP4 All the Way, and UFP4: everything in four bits, with one scale level or two."""

from __future__ import annotations

from refnum.blocks import NVFP4, BlockFormat, ScaleRule
from refnum.formats import E1M2, FP32
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import HEAD, PTX_8
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import publish
from refnum.recipes.rotation import Rotation

__all__ = ["UFP4"]

_nearest, _drawn = Operand(NVFP4), Operand(NVFP4, cast=PTX_8)
publish(
    Recipe(
        fprop_x=_nearest,
        fprop_w=_nearest,
        dgrad_dy=_drawn,
        dgrad_w=_nearest,
        wgrad_dy=_drawn,
        wgrad_x=_drawn,
        overrides=HEAD,
        name="fp4-all-the-way",
        reference="Chmiel et al., arXiv 2505.19115",
        read="NVFP4 in blocks of 16; nearest for both forward operands and for W in "
        "dgrad, stochastic for dY and for X in wgrad. Training ends with a phase whose "
        "backward pass is BF16: see refnum.recipes.schedule.",
        inferred="Transformer Engine's order of operations with its tensor scale, and 8 "
        "random bits; the code was not to be had.",
    )
)

UFP4 = BlockFormat(E1M2, FP32, 16, ScaleRule("ufp4"), name="ufp4")
"""A uniform grid, 0 to 3.5 in steps of a half, under one float32 scale for 16."""

_turned = Rotation(16, "step")
_uniform = Operand(UFP4, rotation=_turned)
_uniform_drawn = Operand(UFP4, cast=PTX_8, rotation=_turned)
publish(
    Recipe(
        fprop_x=_uniform,
        fprop_w=_uniform,
        dgrad_dy=_uniform_drawn,
        dgrad_w=_uniform,
        wgrad_dy=_uniform_drawn,
        wgrad_x=_uniform,
        overrides=HEAD,
        name="ufp4",
        reference="arXiv 2606.20381 (abstract)",
        read="A uniform grid, E1M2, in all roles; rotations in all three products; "
        "stochastic rounding of dY alone.",
        inferred="Blocks and rotations of 16, new signs at every call, a scale of one "
        "level in float32, 8 random bits.",
    )
)
