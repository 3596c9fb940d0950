"""Mixture of representations: FP8 where it represents a tensor well, else BF16."""

from __future__ import annotations

from dataclasses import replace

from refnum.formats import BF16
from refnum.recipes.details import Fallback
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import FP8_E4M3_TENSOR, FP8_E5M2_TENSOR, HEAD
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import publish

__all__: list[str] = []

_WELL = Fallback(threshold=0.045, format=BF16)
_forward = Operand(FP8_E4M3_TENSOR, fallback=_WELL)
_gradient = Operand(FP8_E5M2_TENSOR, fallback=replace(_WELL, threshold=0.09))
publish(
    Recipe(
        _forward,
        _forward,
        _gradient,
        _forward,
        _gradient,
        _forward,
        overrides=HEAD,
        name="mor",
        reference="Mixture of Representations, arXiv 2512.22804 (abstract)",
        read="Each tensor is tried in FP8, its relative error measured, and FP8 kept "
        "only below a threshold; BF16 otherwise.",
        inferred="The threshold of 4.5 % (9 % for E5M2), the mean relative error of "
        "nonzero elements, one amax scale a tensor in place of the group mantissa.",
    )
)
