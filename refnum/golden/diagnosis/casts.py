"""Conversions: how a kernel's cast differs from the one of a golden file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from refnum.formats import (
    BF16,
    FORMATS,
    FP16,
    FP32,
    TF32,
    Cast,
    Format,
    MissingNaN,
    NaNChoice,
    NaNCodes,
    Negative,
    Rounding,
    Saturation,
    SubnormalInputs,
    SubnormalResults,
    ZeroSign,
    casts,
    decode,
    encode,
)
from refnum.formats.arithmetic import encode_float64
from refnum.golden.diagnosis.deviation import Array, Deviation, Outputs, lift

__all__ = [
    "Decoding",
    "Encoding",
    "cast_deviations",
    "compute_codes",
    "compute_values",
    "decode_deviations",
    "encode_deviations",
    "field",
    "format_deviations",
    "library_deviations",
]

_ROUNDED_FIRST = FP32, BF16, FP16, TF32
_FIRST = Cast(saturation=Saturation.NONE)  # of two roundings
_MANY = 1 << 14  # cases
_STOCHASTIC = tuple(mode for mode in Rounding if mode.is_stochastic)
_CHOICES: dict[str, tuple[Any, ...]] = {
    "rounding": tuple(mode for mode in Rounding if not mode.is_stochastic),
    "saturation": tuple(Saturation),
    "nan": tuple(NaNChoice),
    "nan_sign": (False, True),
    "missing_nan": tuple(c for c in MissingNaN if c is not MissingNaN.ERROR),
    "negative": tuple(Negative),
    "zero_is_nan": (False, True),
    "zero_sign": tuple(ZeroSign),
    "subnormal_inputs": tuple(SubnormalInputs),
    "subnormal_results": tuple(SubnormalResults),
    "power_ties_up": (False, True),
    "overflow_at_max": (False, True),
    "symmetric": (False, True),
}


@dataclass(frozen=True)
class Encoding:
    """A conversion to codes: the target, the cast, which random bits it reads.

    Parameters
    ----------
    format : Format
        The target.
    cast : Cast
        How to convert.
    random_bits : int
        Width of the random words that there are; 0 without.
    low_bits : bool
        Whether a cast with fewer random bits reads the lowest of a word, not the top.
    """

    format: Format
    cast: Cast
    random_bits: int = 0
    low_bits: bool = False


@dataclass(frozen=True)
class Decoding:
    """A conversion to values: the format, and what happens to some values."""

    format: Format
    flush: bool = False
    positive_zero: bool = False


def compute_codes(record: Encoding, *, x: Array, random: Array | None) -> Outputs:
    """Return the codes of values; random words are read from their top."""
    used = record.cast.random_bits
    if used is None:
        return {"code": _encode(x, record.format, record.cast)}
    if random is None or used > record.random_bits:
        raise ValueError(f"{used} random bits an element are needed")
    words = random >> np.uint32(record.random_bits - used)
    if record.low_bits:
        words = random & np.uint32((1 << used) - 1)
    return {"code": encode(x, record.format, record.cast, random=words)}


def _encode(x: Array, fmt: Format, cast: Cast) -> Array:
    """Return codes as `encode` does: a table of all answers pays for many cases alone."""
    if x.size >= _MANY:
        return encode(x, fmt, cast)
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
        values = x.astype(np.float64)
    cast = cast.resolve(fmt)
    if cast.via is not None:
        first = decode(encode_float64(values, cast.via, _FIRST), cast.via, np.float64)
        values = np.where(np.isfinite(values), first, values)
    return encode_float64(values, fmt, cast)


def compute_values(record: Decoding, *, codes: Array) -> Outputs:
    """Return the values of codes."""
    values = decode(codes, record.format)
    if record.flush:
        tiny = np.abs(values) < np.float32(record.format.smallest_normal)
        values = np.where(tiny, np.copysign(np.float32(0), values), values)
    if record.positive_zero:
        values = np.where(values == 0, np.float32(0), values)
    return {"value": values}


def field(family: str, name: str, key: str, value: object) -> Deviation:
    """Return the deviation that sets one field of a record."""
    return Deviation(name, family, partial(_set, key, value))


def cast_deviations(fmt: Format, *, wide: bool = False) -> Iterator[Deviation]:
    """Yield the deviations of a deterministic `Cast` to `fmt`.

    Parameters
    ----------
    fmt : Format
        The target.
    wide : bool
        Whether inputs may be wider than float32.
    """
    for key, choices in _CHOICES.items():
        for choice in choices:
            word = getattr(choice, "value", choice)
            name = f"{key} {word}"
            if key == "rounding":
                yield Deviation(name, key, partial(_round_by, choice))
            else:
                yield field(key, name, key, choice)
    for first in _ROUNDED_FIRST:
        if first != FP32 or wide:
            name = f"rounded twice, first to {first}"
            yield field("first rounding", name, "via", first)
    yield field("first rounding", "rounded once", "via", None)
    yield Deviation(
        "stochastic rounding, random bits unknown",
        "rounding",
        partial(_round_by, Rounding.TOWARD_ZERO),
        either=partial(_round_by, Rounding.AWAY_FROM_ZERO),
    )


def library_deviations(fmt: Format, *, wide: bool = False) -> Iterator[Deviation]:
    """Yield the casts of libraries to `fmt`."""
    for name in casts.names():
        cast = getattr(casts, name).resolve(fmt)
        if cast.via == FP32 and not wide:
            cast = replace(cast, via=None)
        yield Deviation(
            f"the cast of casts.{name}", "rounding", partial(_become, cast), whole=True
        )


def encode_deviations(record: Encoding, *, wide: bool = False) -> tuple[Deviation, ...]:
    """Return the deviations of a conversion to codes."""
    fmt = record.format
    found = lift(cast_deviations(fmt, wide=wide), "", _in_cast)
    if record.random_bits:
        found += _stochastic(record.random_bits)
    found += lift(library_deviations(fmt, wide=wide), "", _in_cast)
    found += format_deviations(fmt, "format", "target format")
    return tuple(found)


def decode_deviations(fmt: Format) -> tuple[Deviation, ...]:
    """Return the deviations of a conversion to values."""
    finite = replace(fmt, nan=NaNCodes.NONE, infinity=False)
    return (
        field("subnormals", "subnormal codes read as zero", "flush", True),
        field("zero", "-0 read as +0", "positive_zero", True),
        field("format", "NaN and infinity codes read as numbers", "format", finite),
        *format_deviations(fmt, "format", "format"),
    )


def format_deviations(fmt: Format, key: str, word: str) -> list[Deviation]:
    """Return the deviations to other formats of the same width, and to other biases."""
    others = [f for f in FORMATS if f.bits == fmt.bits and f != fmt]
    found = [field(key, f"{word} {other}", key, other) for other in others]
    if not fmt.twos_complement:
        for step in (-1, 1):
            moved = replace(fmt, bias=fmt.bias + step)
            name = f"{word}: exponent bias {moved.bias} instead of {fmt.bias}"
            found.append(field(key, name, key, moved))
    return found


def _stochastic(bits: int) -> list[Deviation]:
    """Return the stochastic modes, with all the random bits or fewer."""
    found = []
    for mode in _STOCHASTIC:
        for used in range(bits, 0, -1):
            places = ("",) if used == bits else ("highest ", "lowest ")
            for place in places:
                change = partial(_replay, mode, used, place == "lowest ")
                name = f"rounding {mode.value} with the {place}{used} random bits"
                found.append(Deviation(name, "rounding", change))
    return found


def _set(key: str, value: object, record: Any) -> Any:
    return replace(record, **{key: value})


def _round_by(mode: Rounding, cast: Cast) -> Cast:
    return replace(cast, rounding=mode, random_bits=None)


def _become(cast: Cast, _: Cast) -> Cast:
    return cast


def _in_cast(record: Encoding, edit: Any) -> Encoding:
    return replace(record, cast=edit(record.cast))


def _replay(mode: Rounding, bits: int, low: bool, record: Encoding) -> Encoding:
    cast = replace(record.cast, rounding=mode, random_bits=bits)
    return replace(record, cast=cast, low_bits=low)
