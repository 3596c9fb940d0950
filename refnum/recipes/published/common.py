"""What several published recipes share: roundings, and the head in full precision."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import FP8_PER_ROW, FP8_PER_TENSOR, BlockFormat
from refnum.formats import E5M2, Cast, Rounding
from refnum.recipes.recipe import Override

__all__ = [
    "DITHER",
    "FP8_E4M3_ROW",
    "FP8_E4M3_TENSOR",
    "FP8_E5M2_TENSOR",
    "HEAD",
    "MIDPOINT_8",
    "PTX_8",
]

HEAD = (Override(None, kinds=("head",)),)
"""No publication here quantises the layer that makes the logits."""

PTX_8 = Cast(Rounding.STOCHASTIC_A, random_bits=8)
"""``cvt.rs`` to E2M1: eight random bits against the fraction's first eight."""

MIDPOINT_8 = Cast(Rounding.STOCHASTIC_B, random_bits=8)
"""Eight random bits and a half: no error in the mean over evenly spread fractions."""

DITHER = Cast(Rounding.STOCHASTIC_A, random_bits=24)
"""A uniform number of 24 bits, as libraries draw float32, against the fraction."""


def _zeros_stay(fmt: BlockFormat, name: str) -> BlockFormat:
    """Return the format with a scale of zero, where all values are, applied as 1."""
    return replace(fmt, rule=replace(fmt.rule, zero_scale_as=1.0), name=name)


FP8_E4M3_TENSOR = _zeros_stay(FP8_PER_TENSOR, "fp8_e4m3_tensor")
FP8_E5M2_TENSOR = replace(FP8_E4M3_TENSOR, element=E5M2, name="fp8_e5m2_tensor")
FP8_E4M3_ROW = _zeros_stay(FP8_PER_ROW, "fp8_e4m3_row")
"""Scales amax / max in float32; a tensor or row of zeros stays zero."""
