"""What libraries and chips do, each as one `Cast`.

A cast here carries the name of what it reproduces, for every format that the library
converts to. Versions are those that were run; where a library changed its mind, both
minds have a name.
"""

from __future__ import annotations

from dataclasses import replace

from refnum.formats.cast import (
    Cast,
    MissingNaN,
    NaNChoice,
    Negative,
    Rounding,
    Saturation,
    SubnormalInputs,
    SubnormalResults,
    ZeroSign,
)
from refnum.formats.catalog import BF16, FP32
from refnum.formats.format import Format

__all__ = [
    "ALTO",
    "AMD_CK",
    "AMD_HIP",
    "AMD_MXDATAGENERATOR",
    "COMPRESSED_TENSORS",
    "COMPRESSED_TENSORS_TRITON",
    "CUDA",
    "CUDA_DOUBLE",
    "CUDA_NOSAT",
    "CUTLASS",
    "DEEPGEMM",
    "MICROXCALING",
    "ML_DTYPES",
    "ONNX",
    "ONNX_DOCUMENT",
    "ONNX_NOSAT",
    "PTX_PZO",
    "PTX_RS",
    "QEMU",
    "TENSTORRENT",
    "TORCH",
    "TORCHAO",
    "TORCH_2_12",
    "TRANSFORMER_ENGINE_REFERENCE",
    "TRANSFORMER_ENGINE_SR8",
    "names",
]

_FINITE, _PROPAGATE, _NONE = Saturation.FINITE, Saturation.PROPAGATE, Saturation.NONE

CUDA = Cast(power_ties_up=True)
"""CUDA 13.5 ``__nv_cvt_float_to_*`` with ``__NV_SATFINITE``, and PTX ``.satfinite``."""

CUDA_NOSAT = replace(CUDA, saturation=_NONE)
"""CUDA 13.5 ``__nv_cvt_float_to_*`` with ``__NV_NOSAT``."""

CUDA_DOUBLE = replace(CUDA, nan=NaNChoice.PAYLOAD, nan_sign=True)
"""CUDA 13.5 ``__nv_cvt_double_to_fp8``: one rounding; a NaN keeps sign and payload."""

PTX_RS = Cast(
    rounding=Rounding.STOCHASTIC_A,
    random_bits=16,
    nan_sign=True,
    subnormal_inputs=SubnormalInputs.FLUSH,
)
"""PTX ``cvt.rs.satfinite`` as measured on sm_100a: 16 bits, aligned with the top."""

PTX_PZO = replace(CUDA, zero_sign=ZeroSign.POSITIVE)
"""PTX 9.4 ``.pzo``: every zero result is +0."""

TRANSFORMER_ENGINE_SR8 = Cast(rounding=Rounding.STOCHASTIC_A, random_bits=8)
"""Transformer Engine's software rounding to FP4: 8 bits an element."""

TRANSFORMER_ENGINE_REFERENCE = Cast(
    missing_nan=MissingNaN.ZERO, zero_sign=ZeroSign.POSITIVE
)
"""Transformer Engine's Python reference for FP4: -0 and NaN become 0."""

_TORCH_UNSATURATED = Cast(
    saturation=_NONE,
    nan_sign=True,
    power_ties_up=True,
    subnormal_inputs=SubnormalInputs.RAISE_ABOVE_HALF,
    via=FP32,
)
_TORCH_FP16 = Cast(nan=NaNChoice.PAYLOAD, nan_sign=True, via=FP32)
_TORCH_BF16 = Cast(nan=NaNChoice.QUIET, via=FP32)  # NaNs of its scalar code


def _torch(e4m3: Saturation) -> Cast:
    # Only UE8M0 reads subnormals in its own way: all other results are zero there.
    base = replace(_TORCH_UNSATURATED, subnormal_inputs=SubnormalInputs.EXACT)
    exceptions = (
        ("e4m3", replace(base, saturation=e4m3)),
        ("ue8m0", _TORCH_UNSATURATED),
        ("fp16", _TORCH_FP16),
        ("bf16", _TORCH_BF16),
    )
    return replace(base, exceptions=exceptions)


TORCH = _torch(_FINITE)
"""PyTorch 2.13 and later: E4M3 saturates, infinities too; E5M2 does not."""

TORCH_2_12 = _torch(_NONE)
"""PyTorch up to 2.12, on the CPU and on CUDA: E4M3 overflows to NaN."""

_ML_DTYPES_SCALE = Cast(
    saturation=_NONE,
    negative=Negative.NAN,
    zero_is_nan=True,
    power_ties_up=True,
    subnormal_inputs=SubnormalInputs.RAISE_ABOVE_HALF,
    via=FP32,
)
ML_DTYPES = Cast(
    saturation=_NONE,
    nan=NaNChoice.QUIET,
    nan_sign=True,
    missing_nan=MissingNaN.FLIPPED_ZERO,
    via=FP32,
    exceptions=(("ue8m0", _ML_DTYPES_SCALE),),
)
"""ml_dtypes 0.6 (and JAX): overflow goes to infinity or NaN; float64 rounds twice."""


def _onnx(saturation: Saturation, scale: Saturation) -> Cast:
    up = Cast(
        rounding=Rounding.TOWARD_POSITIVE,
        saturation=scale,
        subnormal_inputs=SubnormalInputs.RAISE,
        via=FP32,
    )
    exceptions = (
        ("ue8m0", up),
        ("bf16", replace(ML_DTYPES, exceptions=())),
        ("fp16", Cast(nan=NaNChoice.PAYLOAD, nan_sign=True)),  # by NumPy, once
    )
    return replace(ML_DTYPES, saturation=saturation, exceptions=exceptions)


ONNX = _onnx(_FINITE, _PROPAGATE)
"""ONNX 1.23 reference implementation, ``saturate=1``, UE8M0 with ``round_mode=up``."""

ONNX_NOSAT = _onnx(_NONE, _NONE)
"""ONNX 1.23 reference implementation, ``saturate=0``."""

_ONNX_FNUZ = replace(ONNX, saturation=_PROPAGATE, exceptions=())
ONNX_DOCUMENT = replace(
    ONNX,
    missing_nan=MissingNaN.MAX,
    exceptions=(
        ("e4m3fnuz", _ONNX_FNUZ),
        ("e5m2fnuz", _ONNX_FNUZ),
        *ONNX.exceptions,
    ),
)
"""The ONNX document, where the reference differs: FNUZ infinity is NaN, FP4 NaN 6."""

CUTLASS = Cast(nan_sign=True, missing_nan=MissingNaN.SIGNED_MAX)
"""CUTLASS host conversions (exmy_base.h): a NaN keeps its sign, FP4 too."""

AMD_HIP = Cast(
    nan=NaNChoice.QUIET,
    nan_sign=True,
    missing_nan=MissingNaN.SIGNED_MAX,
    overflow_at_max=True,
    exceptions=(
        (
            "e4m3",
            Cast(nan_sign=True, overflow_at_max=True, saturation=_NONE),
        ),
    ),
)
"""HIP host conversions: E4M3 overflow is 0x7F, NaN, even when said to saturate."""

AMD_CK = Cast(
    saturation=_PROPAGATE,
    negative=Negative.NAN,
    subnormal_inputs=SubnormalInputs.FLUSH,
    subnormal_results=SubnormalResults.FLUSH_BELOW_SMALLEST,
    via=Format("e8m3", 8, 3, bias=127),
)
"""Composable Kernel's UE5M3: rounds to 3 bits first, again where it is subnormal."""

AMD_MXDATAGENERATOR = Cast(
    missing_nan=MissingNaN.SIGNED_MAX, zero_sign=ZeroSign.INPUT_POSITIVE
)
"""mxDataGenerator's FP4: -0 becomes +0, a negative that rounds to zero -0."""

ALTO = Cast(saturation=_NONE, negative=Negative.ZERO, overflow_at_max=True)
"""ALTO's UE5M3: all above the largest value is NaN, finite negatives are 0."""

TORCHAO = Cast(missing_nan=MissingNaN.SIGNED_ONE_AND_A_HALF)
"""torchao's FP4 (and ALTO's): bit arithmetic that turns NaN into 1.5."""

DEEPGEMM = Cast(
    rounding=Rounding.NEAREST_ZERO,
    missing_nan=MissingNaN.ZERO,
    zero_sign=ZeroSign.INPUT_POSITIVE,
)
"""DeepGEMM's FP4: it counts midpoints below, so ties go towards zero."""

COMPRESSED_TENSORS = Cast(zero_sign=ZeroSign.INPUT_POSITIVE)
"""compressed-tensors' eager FP4: multiplies by the sign, so -0 is lost."""

COMPRESSED_TENSORS_TRITON = Cast(via=BF16)
"""compressed-tensors' Triton FP4: rounds to bfloat16 first."""

MICROXCALING = Cast(rounding=Rounding.NEAREST_AWAY, zero_sign=ZeroSign.POSITIVE)
"""microxcaling's default ``nearest``: ties away from zero; -0 is lost."""

TENSTORRENT = Cast(
    rounding=Rounding.NEAREST_AWAY,
    subnormal_inputs=SubnormalInputs.FLUSH,
    zero_sign=ZeroSign.POSITIVE,
)
"""Tenstorrent SFPSTOCHRND's nearest: ties away, subnormals flushed."""

QEMU = Cast(saturation=_NONE)
"""RISC-V Zvfofp8min as QEMU models it: 0x7F is the NaN of both FP8 formats."""


def names() -> tuple[str, ...]:
    """Return the names of the casts, sorted.

    Examples
    --------
    >>> import refnum as rn
    >>> "CUDA" in rn.casts.names()
    True
    """
    return tuple(name for name in __all__ if name.isupper())
