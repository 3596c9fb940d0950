"""erf: the integral of the Gaussian.

Near the node c = i/128, erf(c + r) is its Taylor polynomial of degree 5. The derivative
g = erf' satisfies g' = -2 x g, hence its Taylor coefficients b at c satisfy
(n + 1) b[n+1] = -2 (c b[n] + b[n-1]). At c = 0 the constant term is zero, so the result
keeps its relative accuracy there.
"""

from __future__ import annotations

import math
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from refnum.elementary import fixed
from refnum.elementary._arguments import F64
from refnum.elementary.definition import correctly_rounded
from refnum.elementary.evaluate import (
    Function,
    evaluate,
    nearest_node,
    unless_magnitude,
)

__all__ = ["erf"]

_NODES = 128  # per unit
_END = 3.9375  # 1 - erf(3.9375) < 2^-25, a quarter of float32's last bit at one
_DEGREE = 5


@cache
def taylor_tables() -> tuple[F64, ...]:
    """Return the Taylor coefficients at each node: one array for each power of r."""
    nodes = [i / _NODES for i in range(int(_END * _NODES) + 1)]
    root = math.isqrt(fixed.pi(128) << 128)
    slopes = [2 * fixed.exp(-c * c, 128) / root for c in nodes]
    c, below, b = np.array(nodes), np.zeros(len(nodes)), np.array(slopes)
    tables = [np.array([fixed.erf(c, 128) / 2**128 for c in nodes])]
    for n in range(_DEGREE):
        tables.append(b / (n + 1))
        below, b = b, (c * b + below) * (-2 / (n + 1))
    return tuple(tables)


def _quick_erf(x: F64) -> F64:
    magnitude = np.abs(x)
    i, node = nearest_node(magnitude, _NODES)
    node /= _NODES
    r = np.subtract(magnitude, node, out=node)
    i = i & 0x1FF
    tables = taylor_tables()
    value = tables[-1].take(i)
    for table in tables[-2::-1]:
        value *= r
        value += table.take(i)
    return np.copysign(value, x, out=value)


_ERF = Function(
    _quick_erf,
    partial(correctly_rounded, fixed.erf),
    unless_magnitude(0, _END),
    lambda x: np.copysign(1, x),
)


def erf(x: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the error function, correctly rounded.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Arguments, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x,
        ties to even; C order. A zero keeps its sign. NaN gives the NaN 0x7fc00000.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 7.2.1 and 7.6.1.

    Examples
    --------
    >>> import numpy as np
    >>> erf(np.array([0.5, -1, -0.0, np.inf], np.float32))
    array([ 0.5204999, -0.8427008, -0.       ,  1.       ], dtype=float32)
    """
    return evaluate(_ERF, x)
