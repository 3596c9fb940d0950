"""mpmath's word on every function: the judge that shares nothing with refnum."""

from fractions import Fraction

import mpmath
import numpy as np

_TINY, _HUGE = mpmath.mpf(2) ** -1000, mpmath.mpf(2) ** 1000
BITS = 400  # of working precision: float32 arguments and results are far coarser

JUDGES = {
    "exp": mpmath.exp,
    "exp2": lambda x: mpmath.power(2, x),
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "sqrt": mpmath.sqrt,
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
}


def judged(name: str, x: float) -> np.float32:
    """Return the float32 nearest the function's value at a finite number."""
    with mpmath.workprec(BITS):
        value = JUDGES[name](mpmath.mpf(x))
        if value == 0:
            return np.float32(x * 0)
        if not _TINY < abs(value) < _HUGE:  # fractions would be too long
            return np.float32(0 if abs(value) < 1 else np.inf)
        return rounded(fraction(value))


def fraction(value: mpmath.mpf) -> Fraction:
    sign, man, exp, _ = value._mpf_
    return (-1) ** sign * Fraction(int(man)) * Fraction(2) ** exp


def rounded(value: Fraction) -> np.float32:
    """Return the nearest float32, found among neighbours; ties to the even one."""
    # float(Fraction) is correctly rounded, so its float32 is a neighbour or the answer.
    with np.errstate(over="ignore"):
        near = np.float32(float(value)) if abs(value) < 2**129 else np.float32(np.inf)
    sign = -1 if value < 0 else 1
    magnitude = abs(near)
    if magnitude == np.inf:
        magnitude = np.finfo(np.float32).max
    bits = int(magnitude.view(np.uint32))
    options = [b for b in (bits - 1, bits, bits + 1) if b >= 0]
    best = min(options, key=lambda b: (abs(as_fraction(b) - abs(value)), b % 2))
    return np.copysign(np.uint32(best).view(np.float32), np.float32(sign))


def as_fraction(bits: int) -> Fraction:
    """Return a non-negative float32's value; the infinity stands for 2^128."""
    if bits == 0x7F800000:
        return Fraction(2**128)
    return Fraction(float(np.uint32(bits).view(np.float32)))
