"""Which values are worth converting, and why: the inputs of the encode cases.

Vocabulary. A *landmark* is a magnitude at which conversions go wrong: the smallest
ones, those from one on, the largest. The *place* of an input says where it lies among
the values of the target; what becomes of it depends on the cast and is said elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from refnum.formats import Format
from refnum.golden.philox import random_words
from refnum.golden.record import Source

__all__ = [
    "F32",
    "F64",
    "Input",
    "double_inputs",
    "encode_inputs",
    "number",
    "overflow_interval",
]

F32, F64 = Source("f32"), Source("f64")
_LANDMARKS = 4  # magnitudes at each end and from one on


@dataclass(frozen=True)
class Input:
    """A value to convert: its bit pattern, its place, whether it is a midpoint."""

    pattern: int
    place: str
    tie: bool = False


def encode_inputs(
    fmt: Format, *, thorough: bool, randoms: int, key: tuple[int, int]
) -> list[Input]:
    """Return float32 inputs for conversions to `fmt`, without repetitions.

    Parameters
    ----------
    fmt : Format
        The target.
    thorough : bool
        Whether every code and midpoint has its cases, or only the landmarks.
    randoms : int
        How many random values follow.
    key : tuple of two int
        The Philox key of the random values.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.golden.inputs import encode_inputs
    >>> inputs = encode_inputs(rn.E2M1, thorough=True, randoms=0, key=(0, 0))
    >>> [i.place for i in inputs if i.tie][-3:]
    ['midpoint 4|6', 'midpoint -8|-6', 'midpoint 6|8']
    """
    inputs: dict[int, Input] = {}
    for group in (
        _special(),
        _lattice(fmt, thorough),
        _below(fmt),
        _beyond(fmt),
        _random(fmt, randoms, key),
    ):
        for case in group:
            inputs.setdefault(case.pattern, case)
    return list(inputs.values())


def double_inputs(fmt: Format) -> list[Input]:
    """Return float64 inputs that a first rounding to float32 sends astray."""
    inputs = []
    for low, high in _intervals(fmt):
        middle = (low + high) / 2
        for toward in (-math.inf, math.inf):
            side = "below" if toward < 0 else "above"
            trap = f"{side} the midpoint {_pair(low, high)}, float32 rounds onto it"
            near = float(np.nextafter(middle, toward))
            far = middle + math.copysign(abs(middle) * 2.0**-30, toward)
            inputs += [Input(F64.pattern(x), trap) for x in (near, far)]
        inputs.append(Input(F64.pattern(middle), _midpoint(low, high), tie=True))
    return inputs


def number(value: float) -> str:
    """Return a short exact text of a number: decimal, or a multiple of 2^e.

    Examples
    --------
    >>> number(448.0), number(1.5 * 2.0**-16), number(-(2.0**-127))
    ('448', '1.5*2^-16', '-2^-127')
    """
    if not math.isfinite(value):
        return {"nan": "NaN", "inf": "infinity"}.get(str(value), "-infinity")
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    plain = f"{value:.12g}"
    if float(plain) == value and len(plain.lstrip("-")) <= 8 and "e" not in plain:
        return plain
    mantissa, exponent = math.frexp(abs(value))
    sign = "-" if value < 0 else ""
    factor = "" if mantissa == 0.5 else f"{mantissa * 2!r}*"
    return f"{sign}{factor}2^{exponent - 1}"


def _special() -> Iterator[Input]:
    for pattern, place in (
        (0x00000000, "+0"),
        (0x80000000, "-0"),
        (0x7F800000, "infinity"),
        (0xFF800000, "-infinity"),
        (0x7FC00000, "NaN"),
        (0xFFC00000, "NaN, negative"),
        (0x7F800001, "signalling NaN"),
        (0xFFBFFFFF, "signalling NaN, negative"),
        (0x7FFFFFFF, "NaN, all ones"),
        (0x00000001, "smallest float32"),
        (0x80000001, "-smallest float32"),
        (0x007FFFFF, "largest float32 subnormal"),
        (0x807FFFFF, "-largest float32 subnormal"),
        (0x00800000, "smallest float32 normal"),
        (0x80800000, "-smallest float32 normal"),
        (0x7F7FFFFF, "largest float32"),
        (0xFF7FFFFF, "-largest float32"),
        (0xBF800000, "-1"),
    ):
        yield Input(pattern, place)


def _lattice(fmt: Format, thorough: bool) -> Iterator[Input]:
    """Yield values and the midpoints above them, each between its neighbours."""
    values = _finite(fmt)
    near = set(values) if thorough else _landmarks(fmt)
    for value in values:
        if value in near:
            yield Input(F32.pattern(value), _name(value, fmt))
        if value in _landmarks(fmt):
            yield from _neighbours(value, f"{number(value)}")
    for low, high in pairwise(values):
        if low in near and high in near:
            yield from _around(low, high)


def _below(fmt: Format) -> Iterator[Input]:
    """Yield what lies below the smallest value of a format without zero."""
    if fmt.zero:
        return
    for factor, name in ((0.5, "half"), (0.75, "three quarters of")):
        value, place = fmt.smallest_normal * factor, f"{name} the smallest value"
        yield Input(F32.pattern(value), place)
        yield from _neighbours(value, place)


def _beyond(fmt: Format) -> Iterator[Input]:
    """Yield what lies beyond the largest values: the edges of overflow."""
    for low, high in _overflows(fmt):
        yield from _around(low, high)
        with np.errstate(over="ignore"):
            following, twice = np.float32(high), np.float32(2 * high)
        if np.isfinite(following):
            yield Input(F32.pattern(high), f"{number(high)}, past max")
            yield from _neighbours(high, number(high))
        if np.isfinite(twice):
            yield Input(F32.pattern(2 * high), f"{number(2 * high)}, far past max")


def _random(fmt: Format, count: int, key: tuple[int, int]) -> Iterator[Input]:
    """Yield values evenly spread over the codes, then evenly spread bit patterns."""
    words = random_words(count, key).tolist()
    values = _finite(fmt)
    for index, (which, within, bits, _) in enumerate(words):
        if index % 2:
            yield Input(bits, "random bits")
            continue
        place = which % (len(values) - 1)
        low, high = values[place], values[place + 1]
        value = low + (high - low) * (within / 2**32)
        yield Input(F32.pattern(value), f"random in {_pair(low, high)}")


@cache
def _finite(fmt: Format) -> list[float]:
    """Return the finite values, ascending, zero once."""
    finite = fmt.values[np.isfinite(fmt.values)]
    return sorted({float(v) + 0.0 for v in finite})


@cache
def _landmarks(fmt: Format) -> frozenset[float]:
    sizes = sorted({abs(v) for v in _finite(fmt)})
    one = next((i for i, size in enumerate(sizes) if size >= 1), 0)
    chosen = [*sizes[: _LANDMARKS + 1], *sizes[one : one + _LANDMARKS]]
    chosen += sizes[-_LANDMARKS:]
    return frozenset(v for v in _finite(fmt) if abs(v) in chosen)


def _intervals(fmt: Format) -> list[tuple[float, float]]:
    """Return the intervals between landmarks, and the first beyond each end."""
    near = _landmarks(fmt)
    inner = [p for p in pairwise(_finite(fmt)) if near.issuperset(p)]
    return inner + _overflows(fmt)


def overflow_interval(fmt: Format, *, negative: bool) -> tuple[float, float]:
    """Return an extreme value and the next one, had the format more exponents."""
    values = _finite(fmt)
    step = values[-1] if fmt.mantissa_bits == 0 else values[-1] - values[-2]
    if negative:
        return values[0], values[0] - step
    return values[-1], values[-1] + step


def _overflows(fmt: Format) -> list[tuple[float, float]]:
    signs = (True, False) if fmt.signed else (False,)
    return [overflow_interval(fmt, negative=sign) for sign in signs]


def _around(low: float, high: float) -> Iterator[Input]:
    """Yield the midpoint of an interval with its neighbours in float32."""
    middle = (low + high) / 2
    place = _midpoint(low, high)
    below, above = _neighbours(middle, f"the {place}")
    yield below
    yield Input(F32.pattern(middle), place, tie=True)
    yield above


def _neighbours(value: float, place: str) -> Iterator[Input]:
    for toward, side in ((-math.inf, "below"), (math.inf, "above")):
        near = np.nextafter(np.float32(value), np.float32(toward))
        yield Input(F32.pattern(float(near)), f"{side} {place}")


def _midpoint(low: float, high: float) -> str:
    return f"midpoint {_pair(low, high)}"


def _pair(one: float, other: float) -> str:
    low, high = sorted((one, other))
    return f"{number(low)}|{number(high)}"


def _name(value: float, fmt: Format) -> str:
    names = {
        fmt.max: "max",
        fmt.smallest_normal: "smallest normal",
        fmt.smallest_subnormal: "smallest subnormal" if fmt.zero else "smallest",
    }
    name = names.get(abs(value), "")
    sign = "negative " if name and value < 0 else ""
    return f"{sign}{name} {number(value)}".strip()
