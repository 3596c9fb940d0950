"""TetraJet and TetraJet-v2: six quantisers, four of them in the backward pass."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import MXFP4, NVFP4_TETRAJET
from refnum.blocks.rule import TETRAJET
from refnum.recipes.details import Channels
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import DITHER, HEAD
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import publish
from refnum.recipes.rotation import Rotation
from refnum.recipes.upkeep import OscillationReset, Ramping

__all__ = ["MXFP4_TETRAJET"]

MXFP4_TETRAJET = replace(MXFP4, rule=TETRAJET, name="mxfp4_tetrajet")
"""MXFP4 whose scale is 2^ceil(log2(amax / 6)): nothing is truncated."""


def _six(nearest: Operand, drawn: Operand, **facts: str) -> Recipe:
    again = replace(drawn, source="forward")
    return Recipe(
        fprop_x=nearest,
        fprop_w=nearest,
        dgrad_dy=drawn,
        dgrad_w=again,
        wgrad_dy=drawn,
        wgrad_x=again,
        overrides=HEAD,
        **facts,  # type: ignore[arg-type]
    )


_tetrajet = _six(
    Operand(MXFP4_TETRAJET),
    Operand(MXFP4_TETRAJET, cast=DITHER),
    name="tetrajet",
    reference="Chen et al., arXiv 2502.20853, and its repository",
    read="MXFP4 with scales 2^ceil(log2(amax / 6)); nearest in the forward pass, "
    "stochastic in the backward pass, whose W and X are the forward copies "
    "quantised again: an unbiased gradient of the quantised network.",
    inferred="Random numbers of 24 bits.",
)
_v2 = _six(
    Operand(NVFP4_TETRAJET),
    Operand(NVFP4_TETRAJET, cast=DITHER, rotation=Rotation(16, "fixed")),
    name="tetrajet-v2",
    reference="arXiv 2510.27527, and its repository",
    read="NVFP4 whose second scale is one float32 for 128 elements; as tetrajet, "
    "with rotations of 16 in the backward pass, whose signs differ between dgrad "
    "and wgrad.",
    inferred="Signs are drawn once for each layer and product; random numbers of 24 "
    "bits.",
)
publish(
    _tetrajet,
    replace(
        _tetrajet,
        fprop_w=Operand(MXFP4_TETRAJET, average=0.999),
        name="tetrajet-q-ema",
        read=_tetrajet.read + " Forward weights go to that neighbour which a moving "
        "average of decay 0.999 is nearer to, after ten steps.",
        inferred=_tetrajet.inferred + " The average takes in the weight at each step "
        "before it is used.",
    ),
    replace(
        _tetrajet,
        upkeep=Ramping(),
        name="tetrajet-q-ramping",
        read=_tetrajet.read + " Q-Ramping: the way of each quantised weight over its "
        "own, R, in the first 30 steps; then gradients of floor(R / 16) * 5 + 1 steps "
        "make one update, with so many times the learning rate.",
        inferred=_tetrajet.inferred + " Gathered gradients are averaged; the longest "
        "period was not found out.",
    ),
    _v2,
    replace(
        _v2,
        upkeep=OscillationReset(threshold=8.0),
        name="tetrajet-v2-oscireset",
        read=_v2.read + " OsciReset: from step 35000 on, the way of each quantised "
        "weight over its own, R, in 50 of every 400 steps; weights of R from 8 on are "
        "set to their quantised values. The code's default is 16, its configurations "
        "have 8.",
    ),
    replace(
        _v2,
        channels=Channels(),
        name="tetrajet-v2-outcontrol",
        read=_v2.read + " OutControl: the tenth of the input channels with the largest "
        "norms in steps 501 to 550 is MXFP8 in fprop and wgrad, dY a second time for "
        "it; dgrad stays narrow.",
        inferred="Signs are drawn once for each layer and product; random numbers of 24 "
        "bits; MXFP8 is E4M3, rounded to nearest, and rotated in wgrad too.",
    ),
)
