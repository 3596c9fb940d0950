"""The `Arithmetic` record, and the float32 steps that several arithmetics share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

__all__ = [
    "F32",
    "MAX",
    "ONE",
    "Arithmetic",
    "clamped_reciprocal",
    "decode_reference",
    "encode_reference",
    "exact_ratio",
    "finite_reference",
    "no_reference",
    "reciprocal",
    "scale_from_amax",
    "scale_is_reciprocal",
    "scale_is_reference",
    "single",
]

Floats = npt.NDArray[np.floating[Any]]

F32 = np.float32
MAX = np.finfo(np.float32).max
ONE = F32(1)


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
    steps : tuple of str
        The operations in words: tensor, block and element, in this order.
    divides : bool
        Whether values are divided by the factor rather than multiplied.
    combines : bool
        Whether dequantisation multiplies the two scales before the codes.
    """

    name: str
    reference: Callable[[Floats, float, float], Floats]
    ratio: Callable[[Floats, Floats, float], Floats]
    factor: Callable[[Floats, Floats, Floats], Floats]
    tensor_scale: Callable[[Floats, Floats, float, float], Floats]
    steps: tuple[str, ...]
    divides: bool = False
    combines: bool = False

    def __post_init__(self) -> None:
        _KNOWN.setdefault(self.name, self)

    def __repr__(self) -> str:
        return f"<Arithmetic {self.name}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Pickle a name: most of the functions have none."""
        if _KNOWN[self.name] is self:
            return _known, (self.name,)
        return super().__reduce_ex__(protocol)


_KNOWN: dict[str, Arithmetic] = {}


def _known(name: str) -> Arithmetic:
    """Return the arithmetic of a name that is read from a pickle."""
    try:
        return _KNOWN[name]
    except KeyError:
        raise LookupError(
            f"there is no arithmetic {name!r} here: import the module that makes it"
        ) from None


def single(x: float) -> np.float32:
    """Round a number to float32."""
    return F32(x)


def no_reference(amax: Floats, unit: float, limit: float) -> Floats:
    """Return 1: blocks are measured by nothing above them."""
    return np.ones_like(amax, F32)


def encode_reference(amax: Floats, unit: float, limit: float) -> Floats:
    """Return min(limit * unit / amax, FLT_MAX), and 1 where that says nothing."""
    scale = np.fmin(single(limit * unit) / amax, MAX)
    return np.where((amax == 0) | (scale == 0), ONE, scale)


def finite_reference(amax: Floats, unit: float, limit: float) -> Floats:
    """Return (1 / max(amax, FLT_MIN)) * (limit * unit), and 1 where that overflows."""
    scale = (ONE / np.fmax(amax, np.finfo(np.float32).tiny)) * single(limit * unit)
    return np.where(np.isinf(scale), ONE, scale)


def decode_reference(amax: Floats, unit: float, limit: float) -> Floats:
    """Return amax / (limit * unit)."""
    return amax / single(limit * unit)


def exact_ratio(amax: Floats, _: Floats, unit: float) -> Floats:
    """Return amax / unit for a power of two, in float64 where float32 has no such."""
    ratio = amax / single(unit)
    if np.array_equal(ratio * single(unit), amax):
        return ratio
    return amax.astype(np.float64) / unit


def scale_from_amax(amax: Floats, S: Floats, unit: float, limit: float) -> Floats:
    """Return amax / (limit * unit), and 1 where the reference is."""
    silent = (amax == 0) | np.isinf(amax)
    return np.where(silent, ONE, amax / single(limit * unit))


def scale_is_reference(_: Floats, s: Floats, *__: float) -> Floats:
    """Return the reference, which is a decode scale."""
    return s.astype(F32)


def scale_is_reciprocal(_: Floats, S: Floats, *__: float) -> Floats:
    """Return 1 / the reference, which is an encode scale."""
    return ONE / S.astype(F32)


def reciprocal(scale: Floats, *_: Floats) -> Floats:
    """Return 1 / scale."""
    return ONE / scale


def clamped_reciprocal(scale: Floats, reference: Floats, _: Floats) -> Floats:
    """Return min(1 / (scale * (1 / reference)), FLT_MAX)."""
    return np.fmin(ONE / (scale * (ONE / reference)), MAX)
