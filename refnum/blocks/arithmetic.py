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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.reciprocal import approximate_reciprocal

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

Floats = npt.NDArray[np.floating[Any]]
Singles = npt.NDArray[np.float32]

_F32 = np.float32
_MAX = np.finfo(np.float32).max
_ONE = _F32(1)


@dataclass(frozen=True)
class Arithmetic:
    """The order of the floating-point operations around a scale.

    Parameters
    ----------
    name : str
        Its name in files and messages.
    reference : callable
        ``(amax, unit, limit) -> reference`` of a tensor, row or outer block.
    ratio : callable
        ``(amax, reference, unit) -> ratio``, the number that the scale format rounds.
    factor : callable
        ``(scale, reference, amax) -> factor`` from the rounded scale's value.
    tensor_scale : callable
        ``(amax, reference, unit, limit) -> decode scale`` of the tensor.
    divides : bool
        Whether values are divided by the factor rather than multiplied.
    combines : bool
        Whether dequantisation multiplies the two scales before the codes.
    """

    name: str
    reference: Callable[[Floats, float, float], Singles]
    ratio: Callable[[Floats, Floats, float], Floats]
    factor: Callable[[Singles, Floats, Floats], Singles]
    tensor_scale: Callable[[Floats, Floats, float, float], Singles]
    divides: bool = False
    combines: bool = False

    def __repr__(self) -> str:
        return f"<Arithmetic {self.name}>"


def _single(x: float) -> np.float32:
    return _F32(x)


def _no_reference(amax: Floats, unit: float, limit: float) -> Singles:
    return np.ones_like(amax, _F32)


def _encode_reference(amax: Floats, unit: float, limit: float) -> Singles:
    """Return min(limit * unit / amax, FLT_MAX), and 1 where that says nothing."""
    scale = np.fmin(_single(limit * unit) / amax, _MAX)
    return np.where((amax == 0) | (scale == 0), _ONE, scale)


def _decode_reference(amax: Floats, unit: float, limit: float) -> Singles:
    return amax / _single(limit * unit)


def _scale_from_amax(amax: Floats, S: Floats, unit: float, limit: float) -> Singles:
    """Return amax / (limit * unit), and 1 where the reference is."""
    silent = (amax == 0) | np.isinf(amax)
    return np.where(silent, _ONE, amax / _single(limit * unit))


def _scale_is_reference(_: Floats, s: Floats, *__: float) -> Singles:
    return s.astype(_F32)


def _scale_is_reciprocal(_: Floats, S: Floats, *__: float) -> Singles:
    return _ONE / S.astype(_F32)


def _reciprocal(scale: Singles, *_: Floats) -> Singles:
    return _ONE / scale


def _clamped_reciprocal(scale: Singles, reference: Floats, _: Floats) -> Singles:
    return np.fmin(_ONE / (scale * (_ONE / reference)), _MAX)


EXACT = Arithmetic(
    "exact",
    _no_reference,
    ratio=lambda amax, _, unit: amax.astype(np.float64) / unit,
    factor=_reciprocal,
    tensor_scale=_scale_is_reference,
)
"""amax / unit without rounding: `unit` is a power of two (OCP MX)."""

DIVIDE = Arithmetic(
    "divide",
    _no_reference,
    ratio=lambda amax, _, unit: amax / _single(unit),
    factor=_reciprocal,
    tensor_scale=_scale_is_reference,
)
"""amax / unit, values times 1 / scale (cuBLAS' block-scaled output)."""

MULTIPLY = Arithmetic(
    "multiply",
    _no_reference,
    ratio=lambda amax, _, unit: amax * (_ONE / _single(unit)),
    factor=_reciprocal,
    tensor_scale=_scale_is_reference,
)
"""amax * (1 / unit), values times 1 / scale (Transformer Engine's and torchao's MX)."""

CEILING_DIVIDE = Arithmetic(
    "ceiling_divide",
    _no_reference,
    ratio=lambda amax, _, unit: amax / _single(unit),
    factor=lambda scale, *_: scale,
    tensor_scale=_scale_is_reference,
    divides=True,
)
"""amax / unit, values divided by the scale."""

TRANSFORMER_ENGINE = Arithmetic(
    "transformer_engine",
    _encode_reference,
    ratio=lambda amax, S, unit: np.fmin(amax * (S * (_ONE / _single(unit))), _MAX),
    factor=_clamped_reciprocal,
    tensor_scale=_scale_from_amax,
)
"""amax * (S * (1 / 6)), values times min(1 / (scale * (1 / S)), FLT_MAX)."""

FOUR_OVER_SIX = Arithmetic(
    "four_over_six",
    _encode_reference,
    ratio=lambda amax, S, unit: (amax / _single(unit)) * S,
    factor=_clamped_reciprocal,
    tensor_scale=_scale_from_amax,
)
"""(amax / 6) * S: division first, in Transformer Engine's four-over-six kernel."""

FLASHINFER = Arithmetic(
    "flashinfer",
    _encode_reference,
    ratio=lambda amax, S, unit: S * (amax * approximate_reciprocal(_single(unit))),
    factor=lambda scale, S, amax: np.where(
        amax == 0,
        _F32(0),
        approximate_reciprocal(scale * approximate_reciprocal(S)),
    ),
    tensor_scale=_scale_from_amax,
)
"""S * (amax * rcp(6)), values times rcp(scale * rcp(S)); rcp is approximate."""

VLLM = Arithmetic(
    "vllm",
    _encode_reference,
    ratio=FLASHINFER.ratio,
    factor=lambda scale, S, _: np.where(
        scale == 0,
        _F32(0),
        approximate_reciprocal(scale * approximate_reciprocal(S)),
    ),
    tensor_scale=_scale_from_amax,
)
"""As FlashInfer, but a block whose scale rounds to zero is zero."""

TORCHAO = Arithmetic(
    "torchao",
    _decode_reference,
    ratio=lambda amax, s, unit: (amax / _single(unit)) / s,
    factor=lambda scale, s, _: (_ONE / s) / scale,
    tensor_scale=_scale_is_reference,
    combines=True,
)
"""(amax / 6) / s, values times (1 / s) / scale."""

ALTO = Arithmetic(
    "alto",
    lambda amax, unit, limit: np.fmax(amax / _single(limit * unit), _F32(1e-30)),
    ratio=lambda amax, s, unit: (amax / s) / _single(unit),
    factor=lambda scale, s, _: scale * s,
    tensor_scale=_scale_is_reference,
    divides=True,
    combines=True,
)
"""(amax / s) / 6, values divided by scale * s."""

COMPRESSED_TENSORS = Arithmetic(
    "compressed_tensors",
    lambda amax, unit, limit: (
        _single(limit * unit) / np.fmax(amax, np.finfo(np.float32).tiny)
    ),
    ratio=lambda amax, S, unit: (amax / _single(unit)) * S,
    factor=lambda scale, S, _: scale / S,
    tensor_scale=_scale_is_reciprocal,
    divides=True,
)
"""(amax / 6) * S, values divided by scale / S."""

HELD_REFERENCE = Arithmetic(
    "held_reference",
    _encode_reference,
    ratio=lambda amax, G, unit: amax * (G * (_ONE / _single(unit))),
    factor=lambda scale, G, _: _ONE / (scale * (_ONE / G)),
    tensor_scale=_scale_is_reciprocal,
)
"""amax * (G * (1 / 6)), values times 1 / (scale * (1 / G)) (arXiv 2609.02846)."""

ENCODE = Arithmetic(
    "encode",
    lambda amax, unit, limit: np.where(amax == 0, _ONE, amax),
    ratio=lambda amax, g, unit: (_single(unit) / np.where(amax == 0, _ONE, amax)) * g,
    factor=lambda scale, g, _: scale / g,
    tensor_scale=_scale_is_reference,
)
"""(6 / amax) * g is the number that is rounded: an encode scale (arXiv 2509.17791)."""
