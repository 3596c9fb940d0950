"""sin and cos of all float32, 2^127 included.

The argument becomes a number of turns modulo one, as integers: x = M 2^E with a whole
M < 2^24, and a table holds 104 bits of 2^E / (2 pi) modulo one for each exponent, so
64-bit products that wrap round leave the fraction (Payne and Hanek). No float32 comes
closer to a multiple of pi/2 than 2^-30 of it, so at least 45 bits are left there.
The nearest of 256 nodes of the circle and the rest r then give
sin(a + r) = sin a + (sin a (cos r - 1) + cos a sin r).

References
----------
M. Payne, R. Hanek, "Radian reduction for trigonometric functions", ACM SIGNUM
Newsletter 18, 1983.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import numpy.typing as npt

from refnum.elementary import fixed
from refnum.elementary._arguments import F32, F64
from refnum.elementary.definition import correctly_rounded
from refnum.elementary.evaluate import Function, evaluate, polynomial, unless_magnitude

__all__ = ["cos", "sin"]

_NODES = 256
_LOW = 40  # bits of the second part of the table
_LOW_MASK = np.uint64((1 << _LOW) - 1)
_UNIT = fixed.pi(128) / 2**191  # 2^-64 of a turn, in radians
_REST_BITS = 56  # below the 8 bits that number the nodes
_REST_MASK = np.uint64((1 << _REST_BITS) - 1)
_HALF_STEP = np.uint64(1 << _REST_BITS - 1)


@cache
def turn_tables() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return 2^E / (2 pi) modulo one by exponent field: 64 bits, then 40 bits."""
    precision = 512
    turns = (1 << 2 * precision) // (2 * fixed.pi(precision))  # 1 / (2 pi)
    # E = field - 150 turns a 24-bit integer into the float32.
    scaled = [turns << field >> precision + 150 - 104 for field in range(255)]
    high = [(n >> _LOW) & 0xFFFFFFFFFFFFFFFF for n in scaled]
    low = [n & ((1 << _LOW) - 1) for n in scaled]
    return np.array(high, np.uint64), np.array(low, np.uint64)


@cache
def circle_tables() -> tuple[F64, F64]:
    """Return sin(2 pi i / 256) and cos(2 pi i / 256)."""
    exact = [fixed.sinpi(i * 2 / _NODES, 128) for i in range(_NODES)]
    sine = np.array([n / 2**128 for n in exact])
    return sine, np.roll(sine, -_NODES // 4)


def _node_and_rest(x: F64) -> tuple[npt.NDArray[np.int64], F64]:
    """Return the nearest node of the circle and, in radians, what is left of |x|."""
    bits = x.astype(np.float32).view(np.uint32)
    field = bits >> 23
    field &= 0xFF
    bits &= 0x7FFFFF
    bits |= 0x800000
    whole = bits.astype(np.uint64)
    high, low = turn_tables()
    turns = high.take(field)
    turns *= whole
    whole *= low.take(field)
    turns += whole >> _LOW
    whole &= _LOW_MASK
    turns += _HALF_STEP  # now the top 8 bits are the node, the rest is r + half a step
    nodes = (turns >> _REST_BITS).view(np.int64)
    turns &= _REST_MASK
    turns -= _HALF_STEP
    r = turns.view(np.int64).astype(np.float64)
    r += whole.view(np.int64) * 2.0**-_LOW
    r *= _UNIT
    return nodes, r


def _on_circle(node_sine: F64, node_cosine: F64, r: F64) -> F64:
    square = r * r
    sine = polynomial(square, (1, -1 / 6, 1 / 120))
    sine *= r
    less_one = polynomial(square, (-1 / 2, 1 / 24, -1 / 720))
    less_one *= square
    less_one *= node_sine
    sine *= node_cosine
    sine += less_one
    sine += node_sine
    return sine


def _quick_sin(x: F64) -> F64:
    node, r = _node_and_rest(x)
    sines, cosines = circle_tables()
    value = _on_circle(sines.take(node), cosines.take(node), r)
    return np.where(x < 0, -value, value)


def _quick_cos(x: F64) -> F64:
    node, r = _node_and_rest(x)
    node += _NODES // 4
    node &= _NODES - 1
    sines, cosines = circle_tables()
    return _on_circle(sines.take(node), cosines.take(node), r)


# Below 2^-12, |x|^3 / 6 is less than half of the last bit of x on either side of it,
# and x^2 / 2 less than half of the last bit of one.
_OUTSIDE = unless_magnitude(2**-12, np.inf)
_SIN = Function(
    _quick_sin,
    partial(correctly_rounded, fixed.sin),
    _OUTSIDE,
    lambda x: np.where(np.abs(x) < 1, x, np.nan),
)
_COS = Function(
    _quick_cos,
    partial(correctly_rounded, fixed.cos),
    _OUTSIDE,
    lambda x: np.where(np.abs(x) < 1, 1, np.nan),
)


def sin(x: npt.ArrayLike) -> F32:
    """Return the sine, correctly rounded for every argument.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Angles in radians, of any size, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest sin(x), ties to even; C order. A zero keeps its sign; NaN for
        infinities. Every NaN is 0x7fc00000, and none warns.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    IEEE 754-2019, 9.2 and 9.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> sin(np.array([1, -0.0, 1e22, np.inf], np.float32))
    array([ 0.84147096, -0.        , -0.7340815 ,         nan], dtype=float32)
    """
    return evaluate(_SIN, x)


def cos(x: npt.ArrayLike) -> F32:
    """Return the cosine, correctly rounded for every argument.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Angles in radians, of any size, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest cos(x), ties to even; C order. NaN for infinities. Every NaN
        is 0x7fc00000, and none warns.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    IEEE 754-2019, 9.2 and 9.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> cos(np.array([1, 0, 1e22, np.inf], np.float32))
    array([0.5403023 , 1.        , 0.67906135,        nan], dtype=float32)
    """
    return evaluate(_COS, x)
