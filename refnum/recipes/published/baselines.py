"""What other recipes are measured against: BF16, FP8, and plain MXFP4."""

from __future__ import annotations

from dataclasses import replace

from refnum.blocks import MXFP4, MXFP4_MICROXCALING, MXFP4_NVIDIA
from refnum.formats import BF16
from refnum.recipes.details import Amax
from refnum.recipes.gemm import Gemm
from refnum.recipes.operand import Operand
from refnum.recipes.published.common import FP8_E4M3_TENSOR, FP8_E5M2_TENSOR, HEAD
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import publish

__all__: list[str] = []

_bf16 = Operand(BF16)
_narrow = Gemm(output=BF16)
publish(
    Recipe(
        *(_bf16,) * 6,
        fprop=_narrow,
        dgrad=_narrow,
        overrides=HEAD,
        name="bf16",
        reference="Mixed-precision training with BF16, as Transformer Engine and "
        "torch's autocast compute a linear layer",
        read="Operands in BF16, results of fprop and dgrad rounded to BF16; wgrad is "
        "accumulated in float32.",
        inferred="The order of additions is left to the numerics.",
    )
)

_forward, _backward = Operand(FP8_E4M3_TENSOR), Operand(FP8_E5M2_TENSOR)
_CODES = Operand(None, source="codes")
_fp8 = Recipe(
    _forward,
    _forward,
    _backward,
    _CODES,
    _backward,
    _CODES,
    overrides=HEAD,
    name="fp8",
    reference="Micikevicius et al., arXiv 2209.05433; Transformer Engine's "
    "Float8CurrentScaling with the hybrid format",
    read="E4M3 for activations and weights, E5M2 for gradients, one scale a tensor.",
    inferred="Scales are amax / max in float32 from the tensor itself; Transformer "
    "Engine may also take the largest of earlier steps, or a power of two.",
)
_delayed = Amax("delayed", 1024)
publish(
    _fp8,
    replace(
        _fp8,
        fprop_x=replace(_forward, amax=_delayed),
        fprop_w=replace(_forward, amax=_delayed),
        dgrad_dy=replace(_backward, amax=_delayed),
        wgrad_dy=replace(_backward, amax=_delayed),
        name="fp8-delayed",
        reference="Micikevicius et al., arXiv 2209.05433; Transformer Engine's "
        "DelayedScaling with the hybrid format",
        read=_fp8.read + " A scale follows from the largest magnitude of the last 1024 "
        "steps, without the present one; greater values saturate.",
        inferred="The first step takes its own magnitudes; Transformer Engine begins "
        "with scales of 1.",
    ),
    replace(
        _fp8,
        fprop=Gemm("sm90.wgmma.e4m3.e4m3.f32"),
        dgrad=Gemm("sm90.wgmma.e5m2.e4m3.f32"),
        wgrad=Gemm("sm90.wgmma.e5m2.e4m3.f32"),
        name="fp8-hopper",
        read=_fp8.read + " Products are chains of an H100's instructions.",
    ),
)

_mx = Operand(MXFP4)
publish(
    Recipe(
        *(_mx,) * 6,
        overrides=HEAD,
        name="mxfp4",
        reference="OCP Microscaling Formats v1.0",
        read="MXFP4 in all six roles: blocks of 32, scale floor(log2 amax) - 2, "
        "nearest even.",
        inferred="The plain baseline; no one publishes it as a way to train.",
    ),
    Recipe(
        *(Operand(MXFP4_MICROXCALING),) * 6,
        overrides=HEAD,
        name="mxfp4-microxcaling",
        reference="Microsoft, microxcaling: mx_ops.py and linear.py, with "
        "w_elem_format and a_elem_format fp4_e2m1, rounding nearest",
        read="As mxfp4, with ties away from zero, and +0 for what rounds to zero.",
        inferred="Its shared exponent comes from a float32 logarithm, which is now and "
        "then off by one just below a power of two; refnum's is exact.",
    ),
    Recipe(
        *(Operand(MXFP4_NVIDIA),) * 6,
        overrides=HEAD,
        name="mxfp4-nvidia",
        reference="NVIDIA, cuBLAS and torchao's RCEIL",
        read="As mxfp4, with scales rounded up from amax / 6, so that nothing "
        "saturates.",
    ),
)
