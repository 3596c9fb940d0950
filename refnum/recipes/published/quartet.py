"""Quartet and Quartet II."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import (
    MXFP4_QUEST,
    MXFP4_THREE_QUARTERS,
    NVFP4,
    NVFP4_EDEN,
    NVFP4_FOUR_OVER_SIX_QUARTET_II,
)
from refnum.recipes.details import Amax
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import DITHER, HEAD
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import publish
from refnum.recipes.rotation import Rotation
from refnum.recipes.slopes import Slope

__all__: list[str] = []

_INSIDE = Slope("clip", (("inclusive", False),))
_forward = Operand(MXFP4_QUEST, rotation=Rotation(32), slope=_INSIDE)
_again = Rotation(32, "step", order="signs_last")
_backward = Operand(MXFP4_THREE_QUARTERS, rotation=_again)
_copied = replace(_backward, source="forward")
_quartet = Recipe(
    fprop_x=_forward,
    fprop_w=_forward,
    dgrad_dy=_backward,
    dgrad_w=_copied,
    wgrad_dy=_backward,
    wgrad_x=_copied,
    overrides=HEAD,
    name="quartet",
    reference="Castro et al., arXiv 2505.14669, and its repository Quartet",
    read="Forward: H32 and the QuEST projection, scale 2^floor(log2(2.92 / 6 sigma)), "
    "ties toward zero, the mask of what is not clipped kept. Backward: H32 with new "
    "signs, the forward copies quantised again, scale 3/4 of the usual, nearest.",
    inferred="The kernel adds 1e-8 to sigma before its logarithm; refnum does not. "
    "Nearest follows version 4 of the text: quartet-sr is version 1. As in the code, "
    "signs flip the results of the rotation, so rounding to nearest does not notice "
    "them.",
)


def _drawn(operand: Operand) -> Operand:
    return replace(operand, cast=DITHER)


publish(
    _quartet,
    replace(
        _quartet,
        dgrad_dy=_drawn(_backward),
        dgrad_w=_drawn(_copied),
        wgrad_dy=_drawn(_backward),
        wgrad_x=_drawn(_copied),
        name="quartet-sr",
        inferred="The kernel adds 1e-8 to sigma before its logarithm; refnum does not.",
    ),
)


def _quartet_ii(size: int, name: str, amax: Amax, forward: Operand) -> Recipe:
    eden = Operand(NVFP4_EDEN, rotation=Rotation(size, "step"), eden=True, amax=amax)
    copied = replace(eden, source="forward")
    return Recipe(
        fprop_x=forward,
        fprop_w=forward,
        dgrad_dy=eden,
        dgrad_w=copied,
        wgrad_dy=eden,
        wgrad_x=copied,
        overrides=HEAD,
        name=name,
        reference="Panferov et al., arXiv 2601.22813, and its repository Quartet-II",
        read="Forward: NVFP4 of 1 x 16 by the kernel's order, four over six on. "
        "Backward: MS-EDEN in all four roles, over rotations of "
        f"{size} with new signs, the forward copies quantised again.",
        inferred="Signs flip the inputs of the rotation. The sums of the correction "
        "run in float64; the kernel adds float32 in no fixed order.",
    )


_chosen = Operand(NVFP4_FOUR_OVER_SIX_QUARTET_II)
publish(
    _quartet_ii(128, "quartet-ii", Amax(), _chosen),
    _quartet_ii(32, "quartet-ii-32", Amax(), _chosen),
    _quartet_ii(128, "quartet-ii-delayed", Amax("delayed"), _chosen),
    _quartet_ii(128, "quartet-ii-plain", Amax(), Operand(NVFP4)),
)
