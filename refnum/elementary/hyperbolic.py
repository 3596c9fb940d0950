"""tanh.

tanh(x) = (T + t) / (1 + T t), where T is the tanh of the nearest node c = i/64 and t
that of x - c, by its series. At c = 0, T is zero, so the result keeps its relative
accuracy there.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import numpy.typing as npt

from refnum.elementary import fixed
from refnum.elementary._arguments import F32, F64
from refnum.elementary.definition import correctly_rounded
from refnum.elementary.evaluate import (
    Function,
    evaluate,
    nearest_node,
    only_nan,
    polynomial,
)

__all__ = ["tanh"]

_NODES = 64  # per unit
_END = 9.25  # 1 - tanh(9.25) < 2^-25, a quarter of float32's last bit at one


@cache
def tanh_table() -> F64:
    """Return tanh(i/64)."""
    count = int(_END * _NODES) + 1
    return np.array([fixed.tanh(i / _NODES, 128) / 2**128 for i in range(count)])


def _quick_tanh(x: F64) -> F64:
    magnitude = np.abs(x)
    i, node = nearest_node(magnitude, _NODES)
    node *= 1 / _NODES
    r = np.subtract(magnitude, node, out=node)
    # |r| <= 2^-7: the next term, 17/315 r^6, is less than 2^-46.
    t = polynomial(np.multiply(r, r, out=magnitude), (1, -1 / 3, 2 / 15))
    t *= r
    i &= 0x3FF
    value = tanh_table().take(i)
    below = np.multiply(value, t, out=r)
    below += 1
    value += t
    value /= below
    return np.copysign(value, x, out=value)


# Tiny arguments need no care: tanh(x) is so near x that both ends of the interval
# around it round to x.
_TANH = Function(
    _quick_tanh,
    partial(correctly_rounded, fixed.tanh),
    only_nan,
    lambda x: x,
    clamp=_END,
)


def tanh(x: npt.ArrayLike) -> F32:
    """Return the hyperbolic tangent, correctly rounded.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Arguments, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        The float32 nearest tanh(x), ties to even; C order. A zero keeps its sign. NaN
        gives the NaN 0x7fc00000.

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
    >>> tanh(np.array([0.5, -1, -0.0, np.inf], np.float32))
    array([ 0.46211717, -0.7615942 , -0.        ,  1.        ], dtype=float32)
    """
    return evaluate(_TANH, x)
