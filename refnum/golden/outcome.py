"""The second half of a reason: what the cast makes of an input."""

from __future__ import annotations

import math

from refnum.formats import Cast, Format, Negative, Rounding
from refnum.golden.inputs import Input, overflow_interval

__all__ = ["reason"]

_TIES = {
    Rounding.NEAREST_EVEN: "tie to the even code",
    Rounding.NEAREST_AWAY: "tie away from zero",
    Rounding.NEAREST_ZERO: "tie toward zero",
    Rounding.NEAREST_UP: "tie up",
}
_NEGATIVES = {
    Negative.ABSOLUTE: "the absolute value",
    Negative.ZERO: "negative gives the smallest code",
    Negative.NAN: "negative gives NaN",
}


def reason(case: Input, x: float, code: int, fmt: Format, cast: Cast) -> str:
    """Return why a case is there, and what happens to it.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.golden.inputs import Input
    >>> tie = Input(0x43E80000, "midpoint 448|480", tie=True)
    >>> reason(tie, 464.0, 0x7E, rn.E4M3, rn.Cast())
    'midpoint 448|480: tie to the even code'
    """
    outcomes = [
        *_sign(x, fmt, cast),
        *_rounding(case, cast),
        *_range(x, code, case, fmt, cast),
    ]
    return f"{case.place}: {', '.join(outcomes)}" if outcomes else case.place


def _sign(x: float, fmt: Format, cast: Cast) -> list[str]:
    return [_NEGATIVES[cast.negative]] if x < 0 and not fmt.signed else []


def _rounding(case: Input, cast: Cast) -> list[str]:
    return [_TIES[cast.rounding]] if case.tie and cast.rounding in _TIES else []


def _range(x: float, code: int, case: Input, fmt: Format, cast: Cast) -> list[str]:
    """Say what becomes of a value that rounds beyond the largest finite one."""
    result = float(fmt.values[code])
    if x < 0 and not fmt.signed and cast.negative is not Negative.ABSOLUTE:
        return []
    x = x if fmt.signed else abs(x)
    if not math.isfinite(x):
        return ["saturates"] if math.isinf(x) and math.isfinite(result) else []
    if math.isinf(result):
        return ["overflows to infinity"]
    low, high = overflow_interval(fmt, negative=x < 0)
    if math.isnan(result):
        return ["overflows to NaN"] if abs(x) > abs(low) else []
    beyond = abs(x) > abs(low) and _rounds_up(x, (low + high) / 2, case, fmt, cast)
    return ["saturates"] if beyond else []


def _rounds_up(x: float, middle: float, case: Input, fmt: Format, cast: Cast) -> bool:
    """Whether the rounding alone takes a value past max to the next one or further."""
    mode = cast.rounding
    if mode in _TIES:
        tie_up = {
            Rounding.NEAREST_EVEN: fmt.max_code % 2 == 1,
            Rounding.NEAREST_AWAY: True,
            Rounding.NEAREST_ZERO: False,
            Rounding.NEAREST_UP: x > 0,
        }
        return abs(x) > abs(middle) or (case.tie and tie_up[mode])
    outward = Rounding.TOWARD_POSITIVE if x > 0 else Rounding.TOWARD_NEGATIVE
    return mode in (Rounding.AWAY_FROM_ZERO, outward)
