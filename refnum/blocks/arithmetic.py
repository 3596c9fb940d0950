"""In which order a scale is computed and applied: one record for each library's way.

Vocabulary. `amax` is a block's largest magnitude, `unit` the element value that it is
mapped to (6 for E2M1), `limit` the scale value that the whole tensor's largest
magnitude is mapped to (448 in NVFP4). All operations are float32 and rounded to
nearest even, one after the other as written: another order gives other bits.

Every arithmetic answers three questions. From the tensor's amax: the *reference*
that its blocks are measured by. From a block's amax: the *ratio* that the scale
format rounds. From the rounded scale: the *factor* by which the block's values are
multiplied, or divided where `divides` is set.
"""

from __future__ import annotations

import numpy as np

from refnum.blocks.reciprocal import approximate_reciprocal
from refnum.blocks.steps import (
    F32,
    MAX,
    ONE,
    Arithmetic,
    clamped_reciprocal,
    decode_reference,
    encode_reference,
    exact_ratio,
    finite_reference,
    no_reference,
    reciprocal,
    scale_from_amax,
    scale_is_reciprocal,
    scale_is_reference,
    single,
)

__all__ = [
    "ALTO",
    "CEILING_DIVIDE",
    "COMPRESSED_TENSORS",
    "DIVIDE",
    "ENCODE",
    "EXACT",
    "FLASHINFER",
    "FOUR_OVER_SIX",
    "HELD_REFERENCE",
    "MULTIPLY",
    "TORCHAO",
    "TRANSFORMER_ENGINE",
    "VLLM",
    "Arithmetic",
]

_ENCODE_STEP = "S = min(limit * unit / tensor amax, FLT_MAX)"


EXACT = Arithmetic(
    "exact",
    no_reference,
    ratio=exact_ratio,
    factor=reciprocal,
    tensor_scale=scale_is_reference,
    steps=("t = amax / unit, exact", "y = x * (1 / scale)"),
)
"""amax / unit without rounding: `unit` is a power of two (OCP MX)."""

DIVIDE = Arithmetic(
    "divide",
    no_reference,
    ratio=lambda amax, _, unit: amax / single(unit),
    factor=reciprocal,
    tensor_scale=scale_is_reference,
    steps=("t = amax / unit", "y = x * (1 / scale)"),
)
"""amax / unit, values times 1 / scale (cuBLAS' block-scaled output, torchao's MX)."""

MULTIPLY = Arithmetic(
    "multiply",
    no_reference,
    ratio=lambda amax, _, unit: amax * (ONE / single(unit)),
    factor=reciprocal,
    tensor_scale=scale_is_reference,
    steps=("t = amax * (1 / unit)", "y = x * (1 / scale)"),
)
"""amax * (1 / unit), values times 1 / scale (Transformer Engine's MX)."""

CEILING_DIVIDE = Arithmetic(
    "ceiling_divide",
    no_reference,
    ratio=lambda amax, _, unit: amax / single(unit),
    factor=lambda scale, *_: scale,
    tensor_scale=scale_is_reference,
    steps=("t = amax / unit", "y = x / scale"),
    divides=True,
)
"""amax / unit, values divided by the scale."""

TRANSFORMER_ENGINE = Arithmetic(
    "transformer_engine",
    encode_reference,
    ratio=lambda amax, S, unit: np.fmin(amax * (S * (ONE / single(unit))), MAX),
    factor=clamped_reciprocal,
    tensor_scale=scale_from_amax,
    steps=(
        _ENCODE_STEP,
        "t = min(amax * (S * (1 / unit)), FLT_MAX)",
        "y = x * min(1 / (scale * (1 / S)), FLT_MAX)",
    ),
)
"""amax * (S * (1 / 6)), values times min(1 / (scale * (1 / S)), FLT_MAX)."""

FOUR_OVER_SIX = Arithmetic(
    "four_over_six",
    encode_reference,
    ratio=lambda amax, S, unit: (amax / single(unit)) * S,
    factor=clamped_reciprocal,
    tensor_scale=scale_from_amax,
    steps=(
        _ENCODE_STEP,
        "t = (amax / unit) * S",
        "y = x * min(1 / (scale * (1 / S)), FLT_MAX)",
    ),
)
"""(amax / 6) * S: division first, in Transformer Engine's four-over-six kernel."""

FLASHINFER = Arithmetic(
    "flashinfer",
    encode_reference,
    ratio=lambda amax, S, unit: S * (amax * approximate_reciprocal(single(unit))),
    factor=lambda scale, S, amax: np.where(
        amax == 0,
        F32(0),
        approximate_reciprocal(scale * approximate_reciprocal(S)),
    ),
    tensor_scale=scale_from_amax,
    steps=(
        _ENCODE_STEP,
        "t = S * (amax * rcp(unit))",
        "y = x * rcp(scale * rcp(S)), 0 where amax is 0",
    ),
)
"""S * (amax * rcp(6)), values times rcp(scale * rcp(S)); rcp is approximate."""

VLLM = Arithmetic(
    "vllm",
    encode_reference,
    ratio=FLASHINFER.ratio,
    factor=lambda scale, S, _: np.where(
        scale == 0,
        F32(0),
        approximate_reciprocal(scale * approximate_reciprocal(S)),
    ),
    tensor_scale=scale_from_amax,
    steps=(
        _ENCODE_STEP,
        "t = S * (amax * rcp(unit))",
        "y = x * rcp(scale * rcp(S)), 0 where scale is 0",
    ),
)
"""As FlashInfer, but a block whose scale rounds to zero is zero."""

TORCHAO = Arithmetic(
    "torchao",
    decode_reference,
    ratio=lambda amax, s, unit: (amax / single(unit)) / s,
    factor=lambda scale, s, _: (ONE / s) / scale,
    tensor_scale=scale_is_reference,
    steps=(
        "s = tensor amax / (limit * unit)",
        "t = (amax / unit) / s",
        "y = x * ((1 / s) / scale)",
    ),
    combines=True,
)
"""(amax / 6) / s, values times (1 / s) / scale."""

ALTO = Arithmetic(
    "alto",
    lambda amax, unit, limit: np.fmax(amax / single(limit * unit), F32(1e-30)),
    ratio=lambda amax, s, unit: (amax / s) / single(unit),
    factor=lambda scale, s, _: scale * s,
    tensor_scale=scale_is_reference,
    steps=(
        "s = max(tensor amax / (limit * unit), 1e-30)",
        "t = (amax / s) / unit",
        "y = x / (scale * s)",
    ),
    divides=True,
    combines=True,
)
"""(amax / s) / 6, values divided by scale * s."""

COMPRESSED_TENSORS = Arithmetic(
    "compressed_tensors",
    finite_reference,
    ratio=lambda amax, S, unit: (amax / single(unit)) * S,
    factor=lambda scale, S, _: scale / S,
    tensor_scale=scale_is_reciprocal,
    steps=(
        "S = (1 / max(tensor amax, FLT_MIN)) * (limit * unit), 1 where that overflows",
        "t = (amax / unit) * S",
        "y = x / (scale / S)",
    ),
    divides=True,
)
"""(amax / 6) * S, values divided by scale / S."""

HELD_REFERENCE = Arithmetic(
    "held_reference",
    encode_reference,
    ratio=lambda amax, G, unit: amax * (G * (ONE / single(unit))),
    factor=lambda scale, G, _: ONE / (scale * (ONE / G)),
    tensor_scale=scale_is_reciprocal,
    steps=(
        "G = min(limit * unit / held amax, FLT_MAX)",
        "t = amax * (G * (1 / unit))",
        "y = x * (1 / (scale * (1 / G)))",
    ),
)
"""amax * (G * (1 / 6)), values times 1 / (scale * (1 / G)) (arXiv 2609.02846)."""

ENCODE = Arithmetic(
    "encode",
    lambda amax, unit, limit: np.where(amax == 0, ONE, amax),
    ratio=lambda amax, g, unit: (single(unit) / np.where(amax == 0, ONE, amax)) * g,
    factor=lambda scale, g, _: scale / g,
    tensor_scale=scale_is_reference,
    steps=("g = tensor amax", "t = (unit / amax) * g", "y = x * (scale / g)"),
)
"""(6 / amax) * g is the number that is rounded: an encode scale (arXiv 2509.17791)."""
