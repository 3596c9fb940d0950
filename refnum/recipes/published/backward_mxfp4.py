"""Tseng et al.: MXFP4 in the backward pass alone."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import MXFP4
from refnum.formats import BF16
from refnum.recipes.gemm import Gemm
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import DITHER, HEAD
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import publish
from refnum.recipes.rotation import Rotation

__all__: list[str] = []

_forward = Operand(BF16)
_backward = Operand(MXFP4, cast=DITHER, rotation=Rotation(64, "step"), prescale=0.75)
_unrotated = replace(_backward, rotation=None)
_product = Gemm(correction=16 / 9)
_tseng = Recipe(
    _forward,
    _forward,
    *(_backward,) * 4,
    fprop=Gemm(output=BF16),
    dgrad=_product,
    wgrad=_product,
    overrides=HEAD,
    name="tseng",
    reference="Tseng et al., arXiv 2502.20586, and its repository mxfp4-llm",
    read="Forward in BF16. Backward: scale floor(log2 amax) - 2, values times 3/4 so "
    "that none clips, a uniform number added before rounding down, results times 16/9; "
    "rotations of 64 with new signs for both operands.",
    inferred="The uniform number has 24 bits.",
)
publish(
    _tseng,
    replace(
        _tseng,
        dgrad_dy=_unrotated,
        dgrad_w=_unrotated,
        wgrad_dy=_unrotated,
        wgrad_x=_unrotated,
        name="tseng-unrotated",
        read=_tseng.read.partition("; rotations")[0] + "; no rotation (mode 4).",
    ),
)
