"""GELU and SiLU: each a composition of correctly rounded functions, its steps stated.

A *step* ends with a rounding to float32. Where a step says float64, its operations are
float64's, each rounded there, and only its result is rounded to float32.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from refnum.elementary._arguments import F32, F64, as_float32
from refnum.elementary.error_function import erf
from refnum.elementary.evaluate import canonical_nan
from refnum.elementary.exponentials import sigmoid
from refnum.elementary.hyperbolic import tanh

__all__ = ["gelu", "silu"]

# float64's nearest; the square roots of IEEE 754 are the same everywhere.
_ROOT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")
_ROOT_TWO_OVER_PI = float.fromhex("0x1.9884533d43651p-1")
_CUBIC = 0.044715
_APPROXIMATIONS = ("none", "tanh")


def gelu(x: npt.ArrayLike, approximate: Literal["none", "tanh"] = "none") -> F32:
    """Return the Gaussian error linear unit, x times the normal distribution of x.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Arguments, in any memory layout.
    approximate : {"none", "tanh"}
        Whether the distribution is computed from erf or approximated by tanh.

    Returns
    -------
    ndarray of float32, shape (...)
        "none": t = x * sqrt(1/2) in float64; e = erf(t);
        y = (x * 1/2) * (1 + e) in float64.
        "tanh": t = (x + 0.044715 * (x * x * x)) * sqrt(2/pi) in float64; e = tanh(t);
        y = (x * 1/2) * (1 + e) in float64. Minus infinity gives NaN.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.
    ValueError
        If `approximate` is neither "none" nor "tanh".

    Notes
    -----
    Where e rounds to -1, the result is -0: from -5.5425944 down with erf.

    References
    ----------
    D. Hendrycks, K. Gimpel, "Gaussian Error Linear Units (GELUs)", arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([-1, 0, 2], np.float32)
    >>> gelu(x)
    array([-0.15865526,  0.        ,  1.9544997 ], dtype=float32)
    >>> gelu(x, approximate="tanh")
    array([-0.15880802,  0.        ,  1.9545977 ], dtype=float32)

    array([-0.15880802,  0.        ,  1.9545977 ], dtype=float32)
    """
    if approximate not in _APPROXIMATIONS:
        known = " or ".join(map(repr, _APPROXIMATIONS))
        raise ValueError(f"approximate must be {known}, not {approximate!r}")
    with np.errstate(all="ignore"):
        wide = as_float32(x).astype(np.float64)
        if approximate == "none":
            inner = erf((wide * _ROOT_HALF).astype(np.float32))
        else:
            inner = tanh(_gelu_argument(wide).astype(np.float32))
        result = (wide * 0.5) * (1 + inner.astype(np.float64))
        return canonical_nan(result)


def _gelu_argument(x: F64) -> F64:
    return np.asarray((x + _CUBIC * (x * x * x)) * _ROOT_TWO_OVER_PI)


def silu(x: npt.ArrayLike) -> F32:
    """Return the sigmoid linear unit (swish), x times the logistic function of x.

    Parameters
    ----------
    x : array_like of float32 or float16, shape (...)
        Arguments, in any memory layout.

    Returns
    -------
    ndarray of float32, shape (...)
        s = sigmoid(x); y = x * s in float32. Minus infinity gives NaN.

    Raises
    ------
    TypeError
        If `x` is neither float32 nor float16.

    References
    ----------
    S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-Weighted Linear Units for Neural Network
    Function Approximation in Reinforcement Learning", arXiv:1702.03118.

    Examples
    --------
    >>> import numpy as np
    >>> silu(np.array([-1, 0, 2], np.float32))
    array([-0.26894143,  0.        ,  1.7615942 ], dtype=float32)
    """
    array = as_float32(x)
    with np.errstate(all="ignore"):
        return canonical_nan(np.multiply(array, sigmoid(array)))
