"""The `ScaleRule` record: how a block's largest magnitude becomes a scale code.

A rule is a composition: what the magnitude is mapped to, in which arithmetic, and with
which cast the quotient is rounded to the scale format. The rules of the literature
and of the libraries differ in these fields and in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Any

import refnum.blocks.arithmetic as orders
from refnum.blocks.arithmetic import Arithmetic
from refnum.formats import BF16, Cast, Format, Rounding, Saturation

__all__ = [
    "CEIL",
    "DEEPGEMM",
    "EVEN",
    "FLOOR",
    "NEAREST",
    "QUEST",
    "RCEIL",
    "RCEIL_DIVIDE",
    "TETRAJET",
    "TRUNCATED",
    "UOS",
    "ScaleRule",
]

_UP, _DOWN = Rounding.TOWARD_POSITIVE, Rounding.TOWARD_ZERO
# An infinite magnitude makes the scale NaN; finite overflow saturates.
_NAN_STAYS = Saturation.PROPAGATE


@dataclass(frozen=True)
class ScaleRule:
    """How a block's largest magnitude becomes a scale code.

    Parameters
    ----------
    name : str
        Its name in files and messages.
    cast : Cast
        How the quotient is rounded to the scale format. Its saturation decides what
        a block with an infinity does; a NaN gives the scale format's NaN.
    arithmetic : Arithmetic
        The order of the operations.
    unit : float or str
        What the magnitude is mapped to: a number, ``"max"`` for the element format's
        largest value or ``"power"`` for its largest power of two.
    mantissa_first : bool or int
        Whether the quotient is first rounded to the element format's mantissa (or to
        that many bits), so that a power of two is reached from half an ulp below.
    clamp : tuple of (float, float), optional
        Limits of the quotient before it is rounded.
    amax_floor : float
        Magnitudes below this count as this.
    zero_block_code : int, optional
        The scale code of a block of zeros, if not the one that rounding gives.
    zero_scale_as : float, optional
        The value that values are divided by where the scale rounds to zero.
    replace_zero : float, optional
        The scale that is stored where the scale rounds to zero.
    statistic : str
        ``"amax"``, or ``"std"`` for the population standard deviation.

    Raises
    ------
    ValueError
        If `unit` or `statistic` is none of these.
    """

    name: str
    cast: Cast = Cast()
    arithmetic: Arithmetic = orders.DIVIDE
    unit: float | str = "max"
    mantissa_first: bool | int = False
    clamp: tuple[float, float] | None = None
    amax_floor: float = 0.0
    zero_block_code: int | None = None
    zero_scale_as: float | None = None
    replace_zero: float | None = None
    statistic: str = "amax"

    def __post_init__(self) -> None:
        if self.clamp is not None:
            object.__setattr__(self, "clamp", _as_limits(self.clamp))
        named = self.unit in ("max", "power")
        if not named and (isinstance(self.unit, str) or not 0 < self.unit < inf):
            raise ValueError(
                f"unit is {self.unit!r}; a positive number, max or power is"
            )
        if self.statistic not in ("amax", "std"):
            raise ValueError(
                f"statistic is {self.statistic!r}; amax and std are allowed"
            )

    def unit_of(self, element: Format) -> float:
        """Return the element value that the magnitude is mapped to.

        Examples
        --------
        >>> import refnum as rn
        >>> rn.blocks.FLOOR.unit_of(rn.E2M1), rn.blocks.RCEIL.unit_of(rn.E2M1)
        (4.0, 6.0)
        """
        if self.unit == "power":
            return 2.0**element.emax
        return element.max if self.unit == "max" else float(self.unit)

    def cast_for(self, element: Format) -> Cast:
        """Return the cast to the scale format, the first rounding included."""
        if self.mantissa_first is False:
            return self.cast
        by_element = self.mantissa_first is True
        bits = element.mantissa_bits if by_element else int(self.mantissa_first)
        return replace(self.cast, via=_wide_exponent(bits))


def _as_limits(clamp: Any) -> tuple[float, float]:
    """Return limits as a tuple: rules are keys of tables, and a list has no hash."""
    try:
        low, high = (float(limit) for limit in clamp)
    except (TypeError, ValueError):
        raise TypeError(f"clamp must be two numbers, not {clamp!r}") from None
    return low, high


def _wide_exponent(mantissa_bits: int) -> Format:
    """Return a format in which no quotient of float32 is subnormal or overflows."""
    name = f"e9m{mantissa_bits}"
    return replace(
        BF16, name=name, exponent_bits=9, mantissa_bits=mantissa_bits, bias=255
    )


FLOOR = ScaleRule(
    "floor", Cast(_DOWN, _NAN_STAYS), arithmetic=orders.EXACT, unit="power"
)
"""floor(log2 amax) - emax: OCP Microscaling v1.0, 6.3. The largest may saturate."""

CEIL = ScaleRule("ceil", Cast(_UP, _NAN_STAYS), arithmetic=orders.EXACT, unit="power")
"""ceil(log2 amax) - emax: torchao's CEIL."""

EVEN = replace(FLOOR, name="even", mantissa_first=True)
"""floor(log2 of amax rounded to the element's mantissa) - emax: torchao's EVEN."""

NEAREST = ScaleRule(
    "nearest",
    Cast(Rounding.NEAREST_EVEN, _NAN_STAYS, power_ties_up=True),
    arithmetic=orders.DIVIDE,
)
"""amax / max, to the nearest power of two by value."""

RCEIL = ScaleRule("rceil", Cast(_UP), arithmetic=orders.MULTIPLY)
"""amax * (1 / max), rounded up: NVIDIA's; no finite value saturates.

An infinite magnitude gives the largest scale, as ``cvt.rp.satfinite`` does.
"""

RCEIL_DIVIDE = replace(RCEIL, name="rceil_divide", arithmetic=orders.DIVIDE)
"""amax / max, rounded up: cuBLAS' text."""

TETRAJET = replace(RCEIL_DIVIDE, name="tetrajet")
"""2**ceil(log2(amax / max)): arXiv 2502.20853; the same bits as `RCEIL_DIVIDE`."""

UOS = replace(
    RCEIL_DIVIDE,
    name="uos",
    unit=7.25,
    clamp=(2.0**-126, 2.0**127),
    zero_block_code=128,
)
"""2**ceil(log2(amax / 7.25)): ALTO's; up to 7.25 may saturate to 6."""

DEEPGEMM = replace(
    RCEIL_DIVIDE, name="deepgemm", clamp=(2.0**-126, 2.0**127), amax_floor=1e-4
)
"""max(amax, 1e-4) / max, rounded up, codes 1 to 254."""

QUEST = ScaleRule(
    "quest",
    Cast(_DOWN, _NAN_STAYS),
    arithmetic=orders.DIVIDE,
    unit=6 / 2.92247856,
    statistic="std",
)
"""2.92247856 / 6 standard deviations, rounded down: Quartet, arXiv 2505.14669."""

TRUNCATED = ScaleRule("truncated", Cast(_DOWN, _NAN_STAYS), arithmetic=orders.DIVIDE)
"""amax / max, rounded down: vLLM's UE8M0 mode."""
