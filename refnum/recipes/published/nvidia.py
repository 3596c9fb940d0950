"""NVFP4 pretraining, and four over six, which grew out of it."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import (
    NVFP4,
    NVFP4_16X16,
    NVFP4_FOUR_OVER_SIX,
    NVFP4_FOUR_OVER_SIX_16X16,
)
from refnum.formats import BF16
from refnum.recipes.gemm import Gemm
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import HEAD, PTX_8
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import publish
from refnum.recipes.rotation import Rotation

__all__: list[str] = []

_RHT = Rotation(16, "transformer_engine", output=BF16)
_codes = Operand(None, source="codes")
_nvfp4 = Recipe(
    fprop_x=Operand(NVFP4),
    fprop_w=Operand(NVFP4_16X16),
    dgrad_dy=Operand(NVFP4, cast=PTX_8),
    dgrad_w=_codes,
    wgrad_dy=Operand(NVFP4, cast=PTX_8, rotation=_RHT),
    wgrad_x=Operand(NVFP4, rotation=_RHT),
    overrides=HEAD,
    name="nvfp4",
    reference="NVIDIA, arXiv 2509.25149, and Transformer Engine's NVFP4BlockScaling",
    read="The order of operations of the quantiser, 16 x 16 tiles for weights, 8 random "
    "bits for gradients, the rotation of both wgrad operands by 16 fixed signs with its "
    "result in BF16, and an amax of its own for the rotated copy.",
    inferred="About 15 % of the layers stay in BF16 there (the first two and the last "
    "eight blocks of 62): add an Override with first and last for that. Random words "
    "are refnum's, as the kernel's depend on its launch.",
)
_six = Operand(NVFP4_FOUR_OVER_SIX)
publish(
    _nvfp4,
    replace(
        _nvfp4,
        fprop=Gemm("sm100.tcgen05.mxf4nvf4.ue4m3.f32"),
        fprop_w=Operand(NVFP4),
        dgrad_w=Operand(NVFP4),
        dgrad=Gemm("sm100.tcgen05.mxf4nvf4.ue4m3.f32"),
        wgrad=Gemm("sm100.tcgen05.mxf4nvf4.ue4m3.f32"),
        name="nvfp4-blackwell",
        inferred="Products are chains of the instruction's model. Weights have blocks "
        "of 1 x 16, which it takes as they are.",
    ),
    replace(
        _nvfp4,
        fprop_x=_six,
        fprop_w=Operand(NVFP4_FOUR_OVER_SIX_16X16),
        name="four-over-six",
        reference="Cook et al., arXiv 2512.02010, its repository fouroversix and "
        "Transformer Engine's quantize_4over6_nvfp4.cuh",
        read="Each block of the forward operands maps its largest magnitude to 6 or to "
        "4, by the squared error; the tensor's largest to 256 * 6.",
        inferred="The backward roles are those of nvfp4; the repository has switches "
        "for each of them.",
    ),
)
