"""The elementary functions on integers: as many bits as are asked for.

This is the definition: each function is its series, summed in fixed point, so that a
reader can check it against a textbook. It gives the tables of the fast path, and it
decides the inputs for which float64 cannot tell how to round (`definition`).

Vocabulary: a number t at precision p is the integer nearest t * 2^p, give or take one.
`x` is a float whose lowest bit is 2^-200 or more, so it is exact at the working
precision w = p + GUARD. The guard bits outweigh every error made on the way: some
hundred units, enlarged by no more than 2^152 (exp), 2^128 (sin, cos: the multiple of
pi that is taken off) or 2^52 (erf: its largest term).
"""

from __future__ import annotations

import math
from functools import cache

__all__ = [
    "cos",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "ln2",
    "log",
    "log1p",
    "pi",
    "rsqrt",
    "sigmoid",
    "sin",
    "sinpi",
    "tanh",
]

GUARD = 200


@cache
def ln2(p: int) -> int:
    """2 artanh(1/3)."""
    return 2 * _artanh((1 << p + GUARD) // 3, p + GUARD) >> GUARD


@cache
def pi(p: int) -> int:
    """16 arctan(1/5) - 4 arctan(1/239), by Machin."""
    w = p + GUARD
    one = 1 << w
    return (16 * _arctan(one // 5, w) - 4 * _arctan(one // 239, w)) >> GUARD


def exp(x: float, p: int) -> int:
    """e^x, by halving and a series."""
    w = p + GUARD
    return _exp(_fixed(x, w), w) >> GUARD


def expm1(x: float, p: int) -> int:
    """e^x - 1."""
    return exp(x, p) - (1 << p)


def exp2(x: float, p: int) -> int:
    """2^x: the whole part is a shift."""
    w = p + GUARD
    whole = math.floor(x)
    rest = (_fixed(x, w) - (whole << w)) * ln2(w) >> w
    return _shifted(_exp_series(rest, w), whole) >> GUARD


def sigmoid(x: float, p: int) -> int:
    """1 / (1 + exp(-x))."""
    w = p + GUARD
    return (1 << 2 * w) // ((1 << w) + _exp(_fixed(-x, w), w)) >> GUARD


def tanh(x: float, p: int) -> int:
    """(exp(2x) - 1) / (exp(2x) + 1)."""
    w = p + GUARD
    power, one = _exp(_fixed(2 * x, w), w), 1 << w
    return ((power - one) << w) // (power + one) >> GUARD


def log(x: float, p: int) -> int:
    """The natural logarithm."""
    w = p + GUARD
    return _log(_fixed(x, w), w) >> GUARD


def log1p(x: float, p: int) -> int:
    """The natural logarithm of 1 + x."""
    w = p + GUARD
    return _log((1 << w) + _fixed(x, w), w) >> GUARD


def erf(x: float, p: int) -> int:
    """2 / sqrt(pi) times the sum of (-1)^n x^(2n+1) / (n! (2n+1))."""
    w = p + GUARD
    power = abs(_fixed(x, w))
    square = power * power >> w
    total, n = 0, 0
    while power:
        total += (-power if n % 2 else power) // (2 * n + 1)
        n += 1
        power = (power * square >> w) // n
    result = (total << w + 1) // math.isqrt(pi(w) << w) >> GUARD
    return -result if x < 0 else result


def rsqrt(x: float, p: int) -> int:
    """1 / sqrt(x), by an integer root."""
    w = p + GUARD
    return math.isqrt((1 << 3 * w) // _fixed(x, w)) >> GUARD


def sin(x: float, p: int) -> int:
    """The sine, after a reduction by quarters of a turn."""
    quadrant, r = _quadrants(x, p + GUARD)
    return _sin_series(quadrant, r, p + GUARD) >> GUARD


def cos(x: float, p: int) -> int:
    """The cosine: the sine a quarter of a turn ahead."""
    quadrant, r = _quadrants(x, p + GUARD)
    return _sin_series(quadrant + 1, r, p + GUARD) >> GUARD


def sinpi(x: float, p: int) -> int:
    """sin(pi x); exact at multiples of 1/2."""
    w = p + GUARD
    quadrant = math.floor(2 * x + 0.5)
    r = _fixed(x - quadrant / 2, w) * pi(w) >> w
    return _sin_series(quadrant, r, w) >> GUARD


def _quadrants(x: float, w: int) -> tuple[int, int]:
    """Return q and r, where x = q pi/2 + r and |r| <= pi/4."""
    right_angle = pi(w) >> 1
    half = right_angle >> 1
    q, r = divmod(_fixed(x, w) + half, right_angle)
    return q, r - half


def _sin_series(quadrant: int, r: int, w: int) -> int:
    """sin(quadrant * pi/2 + r)."""
    series = _alternating(r, w, start=1 - quadrant % 2)
    return -series if quadrant % 4 >= 2 else series


def _alternating(x: int, w: int, start: int) -> int:
    """sin x (start = 1) or cos x (start = 0): x^n (-1)^(n//2) / n!, every second n."""
    square = x * x >> w
    term = abs(x) if start else 1 << w
    total, n = 0, start
    while term:
        total += term if n // 2 % 2 == 0 else -term
        n += 2
        term = (term * square >> w) // (n * (n - 1))
    return -total if start and x < 0 else total


def _exp(x: int, w: int) -> int:
    """exp(x) = 2^k exp(r) with x = k ln 2 + r."""
    k, r = divmod(x, ln2(w))
    return _shifted(_exp_series(r, w), k)


def _exp_series(x: int, w: int) -> int:
    total, term, n = 0, 1 << w, 0
    while term:
        total += term
        n += 1
        term = (term * x >> w) // n
    return total


def _log(x: int, w: int) -> int:
    """log(2^k m) = k ln 2 + 2 artanh((m - 1) / (m + 1)), m in [1/2, 1)."""
    k = x.bit_length() - w
    m, one = _shifted(x, -k), 1 << w
    return k * ln2(w) + 2 * _artanh(((m - one) << w) // (m + one), w)


def _artanh(x: int, w: int) -> int:
    return _odd_series(x, w, 1)


def _arctan(x: int, w: int) -> int:
    return _odd_series(x, w, -1)


def _odd_series(x: int, w: int, sign: int) -> int:
    """The sum of sign^n x^(2n+1) / (2n+1)."""
    square, power = x * x >> w, abs(x)
    total, n = 0, 0
    while power:
        total += sign**n * power // (2 * n + 1)
        power = power * square >> w
        n += 1
    return -total if x < 0 else total


def _fixed(x: float, w: int) -> int:
    numerator, denominator = x.as_integer_ratio()
    return (numerator << w) // denominator


def _shifted(x: int, bits: int) -> int:
    return x << bits if bits >= 0 else x >> -bits
