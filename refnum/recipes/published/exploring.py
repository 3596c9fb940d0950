"""Exploring FP4: four bits where the forward pass can afford it."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import FP4_PER_CHANNEL
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import FP8_E4M3_ROW, HEAD
from refnum.recipes.recipe import Override, Recipe
from refnum.recipes.registry import publish

__all__: list[str] = []

_fp8, _fp4 = Operand(FP8_E4M3_ROW), Operand(FP4_PER_CHANNEL)
_attention = Recipe(
    *(_fp8,) * 6,
    overrides=HEAD,
    name="fp8-per-row",
    reference="Zhou et al., arXiv 2502.11458 (the part for attention)",
    read="E4M3 with a scale for each token or channel, in all six roles.",
    inferred="E4M3 also for gradients; scales amax / 448 in float32.",
)
publish(
    _attention,
    replace(
        _attention,
        fprop_x=_fp4,
        fprop_w=_fp4,
        overrides=(*HEAD, Override(_attention, kinds=("attention",))),
        name="exploring-fp4",
        reference="Zhou et al., arXiv 2502.11458",
        read="FP4 in the forward products of feed-forward layers, FP8 in those of "
        "attention and in the whole backward pass, a scale for each token or channel; "
        "training ends in the target precision: see refnum.recipes.schedule.",
        inferred="From the abstract and a second source. Formats of gradients, and the "
        "step of the switch.",
    ),
)
