"""Block formats by name: what hardware, standards, libraries and papers use."""

from __future__ import annotations

from dataclasses import replace

import refnum.blocks.arithmetic as orders
import refnum.blocks.rule as rules
from refnum.blocks.block_format import BlockFormat, TensorScale
from refnum.blocks.hifloat4 import HIFLOAT4_ORDER
from refnum.blocks.rule import ScaleRule
from refnum.formats import (
    E1M2,
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    E6M2,
    FP32,
    INT8,
    UE4M3,
    UE5M3,
    UE5M3_IEEE,
    UE8M0,
    Cast,
    MissingNaN,
    Rounding,
    Saturation,
    ZeroSign,
)

__all__ = [
    "FP4_PER_CHANNEL",
    "FP4_PER_TENSOR",
    "FP8_PER_ROW",
    "FP8_PER_TENSOR",
    "HIFLOAT4",
    "MXFP4",
    "MXFP4_MICROXCALING",
    "MXFP4_NVIDIA",
    "MXFP4_QUEST",
    "MXFP4_THREE_QUARTERS",
    "MXFP6_E2M3",
    "MXFP6_E3M2",
    "MXFP8_E4M3",
    "MXFP8_E5M2",
    "MXFP8_NVIDIA",
    "MXINT8",
    "NVFP4",
    "NVFP4_16X16",
    "NVFP4_ALTO",
    "NVFP4_COMPRESSED_TENSORS",
    "NVFP4_CUBLAS",
    "NVFP4_E1M2",
    "NVFP4_ENCODE",
    "NVFP4_FLASHINFER",
    "NVFP4_SR",
    "NVFP4_TETRAJET",
    "NVFP4_TORCHAO",
    "NVFP4_TORCHAO_ONE_LEVEL",
    "NVFP4_VLLM",
    "UE5M3FP4",
    "UE5M3FP4_ALTO",
    "UE5M3FP4_ENCODE",
    "UE5M3FP4_HELD",
]

_NAN_STAYS = Saturation.PROPAGATE


def _mx(name: str, element: object, rule: ScaleRule = rules.FLOOR) -> BlockFormat:
    return BlockFormat(element, UE8M0, 32, rule, name=name)  # type: ignore[arg-type]


MXFP4 = _mx("mxfp4", E2M1)
MXFP6_E2M3 = _mx("mxfp6_e2m3", E2M3)
MXFP6_E3M2 = _mx("mxfp6_e3m2", E3M2)
MXFP8_E4M3 = _mx("mxfp8_e4m3", E4M3)
MXFP8_E5M2 = _mx("mxfp8_e5m2", E5M2)
MXINT8 = replace(_mx("mxint8", INT8), element_cast=Cast(symmetric=True))
MXFP4_NVIDIA = _mx("mxfp4_nvidia", E2M1, rules.RCEIL)
MXFP8_NVIDIA = _mx("mxfp8_nvidia", E4M3, rules.RCEIL)
MXFP4_QUEST = replace(
    _mx("mxfp4_quest", E2M1, rules.QUEST),
    element_cast=Cast(Rounding.NEAREST_ZERO),
)
MXFP4_THREE_QUARTERS = replace(_mx("mxfp4_three_quarters", E2M1), prescale=0.75)
MXFP4_MICROXCALING = replace(
    _mx("mxfp4_microxcaling", E2M1),
    element_cast=Cast(Rounding.NEAREST_AWAY, zero_sign=ZeroSign.POSITIVE),
)

_TE = ScaleRule("transformer_engine", arithmetic=orders.TRANSFORMER_ENGINE)
NVFP4 = BlockFormat(E2M1, UE4M3, 16, _TE, tensor_scale=TensorScale(448.0), name="nvfp4")
NVFP4_16X16 = replace(NVFP4, block=(16, 16), name="nvfp4_16x16")
NVFP4_SR = replace(
    NVFP4,
    rule=replace(_TE, unit=6 * 16 / 17),
    element_cast=Cast(Rounding.STOCHASTIC_A, random_bits=16),
    name="nvfp4_sr",
)
NVFP4_E1M2 = replace(NVFP4, element=E1M2, name="nvfp4_e1m2")
NVFP4_CUBLAS = replace(
    NVFP4,
    rule=ScaleRule("cublas", arithmetic=orders.DIVIDE),
    tensor_scale=None,
    name="nvfp4_cublas",
)
_TORCHAO = ScaleRule("torchao", arithmetic=orders.TORCHAO, clamp=(2.0**-6, 448.0))
_TORCHAO_CAST = Cast(missing_nan=MissingNaN.SIGNED_ONE_AND_A_HALF)
NVFP4_TORCHAO = replace(
    NVFP4, rule=_TORCHAO, element_cast=_TORCHAO_CAST, name="nvfp4_torchao"
)
NVFP4_TORCHAO_ONE_LEVEL = replace(
    NVFP4_TORCHAO,
    rule=replace(_TORCHAO, arithmetic=orders.DIVIDE),
    tensor_scale=None,
    name="nvfp4_torchao_one_level",
)
NVFP4_FLASHINFER = replace(
    NVFP4,
    rule=ScaleRule("flashinfer", arithmetic=orders.FLASHINFER),
    name="nvfp4_flashinfer",
)
NVFP4_VLLM = replace(
    NVFP4, rule=ScaleRule("vllm", arithmetic=orders.VLLM), name="nvfp4_vllm"
)
NVFP4_COMPRESSED_TENSORS = replace(
    NVFP4,
    rule=ScaleRule(
        "compressed_tensors", arithmetic=orders.COMPRESSED_TENSORS, replace_zero=0.125
    ),
    element_cast=Cast(zero_sign=ZeroSign.INPUT_POSITIVE),
    name="nvfp4_compressed_tensors",
)
NVFP4_ALTO = replace(
    NVFP4,
    rule=ScaleRule("alto", arithmetic=orders.ALTO, clamp=(2.0**-6, 448.0)),
    element_cast=_TORCHAO_CAST,
    name="nvfp4_alto",
)
NVFP4_TETRAJET = replace(
    NVFP4,
    rule=ScaleRule("tetrajet_v2", arithmetic=orders.ALTO, zero_scale_as=2.0**-9),
    tensor_scale=TensorScale(448.0, span=128),
    name="nvfp4_tetrajet",
)
# A stored scale divides, so it is clipped at the smallest subnormal, never zero.
_ENCODE = ScaleRule("encode", arithmetic=orders.ENCODE, replace_zero=2.0**-9)
NVFP4_ENCODE = replace(
    NVFP4,
    rule=_ENCODE,
    tensor_scale=TensorScale(1.0),
    convention="encode",
    name="nvfp4_encode",
)
UE5M3FP4_ENCODE = replace(
    NVFP4_ENCODE,
    scale=UE5M3_IEEE,
    rule=replace(_ENCODE, replace_zero=2.0**-17),
    name="ue5m3fp4_encode",
)

UE5M3FP4 = replace(NVFP4, scale=UE5M3, name="ue5m3fp4")
UE5M3FP4_HELD = replace(
    UE5M3FP4,
    scale=UE5M3_IEEE,
    rule=ScaleRule("held", arithmetic=orders.HELD_REFERENCE, zero_scale_as=1.0),
    name="ue5m3fp4_held",
)
UE5M3FP4_ALTO = replace(
    UE5M3FP4,
    rule=ScaleRule("alto", arithmetic=orders.ALTO, clamp=(2.0**-17, 114688.0)),
    element_cast=_TORCHAO_CAST,
    name="ue5m3fp4_alto",
)

HIFLOAT4 = BlockFormat(
    E1M2,
    E6M2,
    64,
    ScaleRule("hifloat4", arithmetic=HIFLOAT4_ORDER, unit=7.0),
    element_cast=Cast(Rounding.NEAREST_AWAY, zero_sign=ZeroSign.INPUT_POSITIVE),
    levels=(8, 4),
    name="hifloat4",
)

# Zeros alone have the scale 0, and are divided by 1.
FP8_PER_TENSOR = BlockFormat(
    E4M3,
    FP32,
    "tensor",
    ScaleRule("per_tensor", zero_scale_as=1.0),
    name="fp8_per_tensor",
)
FP8_PER_ROW = replace(FP8_PER_TENSOR, block="row", name="fp8_per_row")
FP4_PER_TENSOR = replace(FP8_PER_TENSOR, element=E2M1, name="fp4_per_tensor")
FP4_PER_CHANNEL = replace(FP8_PER_ROW, element=E2M1, name="fp4_per_channel")
