"""The table of elementwise operations and their VJPs.

Vocabulary: ``g`` is the gradient of the result ``out``, ``x`` and ``y`` are arguments.
Where two arguments of `maximum` or `minimum` are equal, each gets half the gradient;
where `abs` and `sign` meet zero, the gradient is zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd.numerics import function, power_of
from refnum.autograd.operation import Operation
from refnum.autograd.operators import OPERATIONS
from refnum.autograd.tensor import plain

__all__ = [
    "abs",
    "add",
    "astype",
    "ceil",
    "clip",
    "cos",
    "divide",
    "exp",
    "expm1",
    "floor",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "power",
    "reciprocal",
    "rint",
    "rsqrt",
    "sign",
    "sin",
    "sqrt",
    "square",
    "subtract",
    "where",
]


# Arithmetic

add = Operation(
    "add",
    np.add,
    "x y",
    x=lambda g: g,
    y=lambda g: g,
    doc="Return x + y.",
)
subtract = Operation(
    "subtract",
    np.subtract,
    "x y",
    x=lambda g: g,
    y=lambda g: -g,
    doc="Return x - y.",
)
multiply = Operation(
    "multiply",
    np.multiply,
    "x y",
    x=lambda g, y: g * y,
    y=lambda g, x: g * x,
    doc="Return x * y.",
)
divide = Operation(
    "divide",
    np.divide,
    "x y",
    x=lambda g, y: g / y,
    y=lambda g, out, y: -g * out / y,
    doc="Return x / y.",
)
negative = Operation("negative", np.negative, x=lambda g: -g, doc="Return -x.")
reciprocal = Operation(
    "reciprocal", lambda x: 1 / x, x=lambda g, out: -g * out * out, doc="Return 1 / x."
)
square = Operation("square", np.square, x=lambda g, x: 2 * g * x, doc="Return x * x.")


def _less_one(y: Any) -> Any:
    """Return y - 1, or any number where y is zero: the power is not looked at there."""
    if isinstance(y, float | int):
        return y - 1 if y else 1
    return where(plain(y) == 0, 1, y - 1)


def _log_base(x: Any) -> Any:
    """Return log(x), or zero where there is none."""
    if isinstance(x, float | int):
        return math.log(x) if x > 0 else 0.0
    return log(where(plain(x) > 0, x, 1))


power: Operation = Operation(
    "power",
    power_of,
    "x y",
    x=lambda g, x, y: g * y * power(x, _less_one(y)),
    y=lambda g, out, x: g * out * _log_base(x),
    doc="Return x ** y; the gradient of y is zero where x is not positive.",
)

# Roots, exponentials and logarithms

sqrt = Operation(
    "sqrt",
    function("sqrt"),
    x=lambda g, out: 0.5 * g / out,
    doc="Return the square root.",
)
rsqrt = Operation(
    "rsqrt",
    function("rsqrt"),
    x=lambda g, out, x: -0.5 * g * out / x,
    doc="Return 1 / sqrt(x).",
)
exp = Operation("exp", function("exp"), x=lambda g, out: g * out, doc="Return e ** x.")
expm1 = Operation(
    "expm1",
    function("expm1"),
    x=lambda g, out: g * (out + 1),
    doc="Return e ** x - 1.",
)
log: Operation = Operation(
    "log", function("log"), x=lambda g, x: g / x, doc="Return the natural logarithm."
)
log1p = Operation(
    "log1p", function("log1p"), x=lambda g, x: g / (x + 1), doc="Return log(1 + x)."
)
sin = Operation("sin", function("sin"), x=lambda g, x: g * cos(x), doc="Return sin x.")
cos: Operation = Operation(
    "cos", function("cos"), x=lambda g, x: -g * sin(x), doc="Return cos x."
)

# Choices and steps


def _share(x: Any, y: Any) -> Any:
    """Return 1 where x is greater, 1/2 where equal and 0 where less."""
    x, y = plain(x), plain(y)
    return np.where(x == y, 0.5, x > y).astype(np.result_type(x, y, np.float32))


maximum = Operation(
    "maximum",
    np.maximum,
    "x y",
    x=lambda g, x, y: g * _share(x, y),
    y=lambda g, x, y: g * _share(y, x),
    doc="Return the greater of x and y.",
)
minimum = Operation(
    "minimum",
    np.minimum,
    "x y",
    x=lambda g, x, y: g * _share(y, x),
    y=lambda g, x, y: g * _share(x, y),
    doc="Return the lesser of x and y.",
)
abs = Operation(
    "abs", np.abs, x=lambda g, x: g * np.sign(plain(x)), doc="Return the magnitude."
)
sign = Operation("sign", np.sign, doc="Return the sign, which has no gradient.")
floor = Operation("floor", np.floor, doc="Round down, with no gradient.")
ceil = Operation("ceil", np.ceil, doc="Round up, with no gradient.")
rint = Operation("rint", np.rint, doc="Round to nearest even, with no gradient.")

_where: Operation = Operation(
    "where",
    lambda x, y, condition: np.where(condition, x, y),
    "x y",
    "condition",
    x=lambda g, condition: _where(g, 0, condition),
    y=lambda g, condition: _where(0, g, condition),
)


def where(condition: npt.ArrayLike, x: Any, y: Any) -> Any:
    """Take x where a condition holds, and y elsewhere.

    Parameters
    ----------
    condition : array_like of bool
        Which to take.
    x, y : Tensor, array or number
        Broadcast against `condition` and each other.

    Returns
    -------
    Tensor or ndarray
        The choice.

    Raises
    ------
    TypeError
        If `condition` is not bool.
    """
    chosen = np.array(plain(condition))
    if chosen.dtype != bool:
        raise TypeError(f"condition must be bool, not {chosen.dtype}")
    return _where(x, y, chosen)


_clip = Operation(
    "clip",
    np.clip,
    "x",
    "low high",
    x=lambda g, x, low, high: g * ((plain(x) >= low) & (plain(x) <= high)),
)


def clip(x: Any, low: float, high: float) -> Any:
    """Limit values to an interval; the gradient is zero outside.

    Parameters
    ----------
    x : Tensor or array
        Values.
    low, high : float
        Ends of the interval.

    Returns
    -------
    Tensor or ndarray
        The limited values.

    Raises
    ------
    ValueError
        If `low` is not less than `high`.
    """
    if not float(low) < float(high):
        raise ValueError(f"low must be less than high, not {low} and {high}")
    return _clip(x, float(low), float(high))


_astype = Operation(
    "astype",
    lambda x, dtype, _: x.astype(dtype),
    "x",
    "dtype source",
    converts=True,
    x=lambda g, source: astype(g, source),
)


def astype(x: Any, dtype: npt.DTypeLike) -> Any:
    """Convert to float32 or float64; the gradient is converted back.

    Parameters
    ----------
    x : Tensor or array
        Values.
    dtype : dtype
        The type of the result.

    Returns
    -------
    Tensor or ndarray
        The values, each rounded to nearest even.

    Raises
    ------
    TypeError
        If `dtype` is another type.
    """
    wanted = np.dtype(dtype)
    if wanted not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, not {wanted}")
    return _astype(x, wanted, x.dtype)


OPERATIONS["astype"] = astype
