"""Where a value lies among the values of a format.

Vocabulary. The *magnitudes* of a format are its codes without sign, in order. The
*place* of a value is the magnitude at or below its own, the next one, and *nu*, P3109's
name for the share of the way from the one to the other. Past the largest finite
magnitude the exponent is taken as unbounded, as all roundings do; the next magnitude
there has a value but no code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from refnum.formats import Format, exact

__all__ = ["Neighbour", "Place", "place_of"]


@dataclass(frozen=True)
class Neighbour:
    """A value next to the one in question, and its code if it has one."""

    code: int | None
    value: float


@dataclass(frozen=True)
class Place:
    """Where a value lies.

    Parameters
    ----------
    kind : str
        ``exact``, ``between``, ``overflow`` (past the largest finite value), ``below``
        (a magnitude under the smallest one of a format without zero), ``infinity`` or
        ``nan``.
    toward_zero, away_from_zero : Neighbour, optional
        The neighbours, with the sign of the value. An exact value has the first alone;
        so has one past the next magnitude after the largest.
    midpoint : float, optional
        Half-way between them.
    nu : Fraction, optional
        The share of the way from `toward_zero` to `away_from_zero`.
    """

    kind: str
    toward_zero: Neighbour | None = None
    away_from_zero: Neighbour | None = None
    midpoint: float | None = None
    nu: Fraction | None = None


def place_of(value: float, fmt: Format) -> Place:
    """Return the place of a value; of its absolute value in a format without sign.

    Examples
    --------
    >>> import refnum as rn
    >>> place = place_of(-0.3, rn.E2M1)
    >>> place.toward_zero, place.away_from_zero, float(place.nu)
    (Neighbour(code=8, value=-0.0), Neighbour(code=9, value=-0.5), 0.6)
    """
    if not math.isfinite(value):
        return Place("nan" if math.isnan(value) else "infinity")
    lattice = _Lattice(fmt, fmt.signed and math.copysign(1.0, value) < 0)
    size = abs(Fraction(value))
    if size < lattice.size(0):
        return Place("below", away_from_zero=lattice.neighbour(0))
    if size >= lattice.size(lattice.last + 1):
        return Place("overflow", lattice.neighbour(lattice.last))
    below = lattice.at_or_below(size)
    low, high = lattice.size(below), lattice.size(below + 1)
    if size == low:
        return Place("exact", lattice.neighbour(below))
    return Place(
        "overflow" if below == lattice.last else "between",
        lattice.neighbour(below),
        lattice.neighbour(below + 1),
        lattice.sign * float((low + high) / 2),
        (size - low) / (high - low),
    )


class _Lattice:
    """The magnitudes of a format on one side of zero."""

    def __init__(self, fmt: Format, negative: bool) -> None:
        self._format = fmt
        self._negative = negative
        self.sign = -1.0 if negative else 1.0
        # Two's complement has one magnitude more below zero.
        self.last = fmt.max_code + (fmt.twos_complement and negative)
        # One exponent bit more and no special values: every code has a successor.
        self._wide = Format(
            fmt.name,
            fmt.exponent_bits + 1,
            fmt.mantissa_bits,
            fmt.bias,
            signed=False,
            zero=fmt.zero,
        )

    def size(self, magnitude: int) -> Fraction:
        """Return the absolute value of a magnitude."""
        return Fraction(exact.decode(magnitude, self._wide))

    def at_or_below(self, size: Fraction) -> int:
        """Return the largest magnitude whose absolute value is at most `size`."""
        low, high = 0, self.last
        while low < high:
            middle = (low + high + 1) // 2
            if self.size(middle) <= size:
                low = middle
            else:
                high = middle - 1
        return low

    def neighbour(self, magnitude: int) -> Neighbour:
        """Return a magnitude with its sign and its code."""
        value = self.sign * float(self.size(magnitude))
        if value == 0 and not self._format.has_negative_zero:
            value = 0.0
        return Neighbour(self._code(magnitude), value)

    def _code(self, magnitude: int) -> int | None:
        if magnitude > self.last:
            return None
        if not self._negative:
            return magnitude
        if self._format.twos_complement:
            return -magnitude % (1 << self._format.bits)
        if magnitude == 0 and not self._format.has_negative_zero:
            return 0
        return magnitude | self._format.sign_mask
