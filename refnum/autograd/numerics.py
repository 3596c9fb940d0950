"""Functions, sums and products of arrays, in the arithmetic that the mode asks for.

Each takes float32 or float64 arrays and returns the same type. Portable numerics take
float32 through `refnum.elementary`; all else is NumPy's and BLAS's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd.mode import MODE
from refnum.products import Accumulator, matmul

__all__ = ["function", "power_of", "product_of", "total_of"]

_Array = npt.NDArray[np.floating[Any]]
_LARGEST_POWER = 1024  # of `elementary.power`
_LARGE = 1 << 14  # elements of an array
_LONG = 1 << 12  # terms of a sum
_ROOT_HALF = math.sqrt(0.5)
_ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)

_Axis = int | tuple[int, ...] | None


def _portable(x: Any) -> bool:
    return MODE.get().numerics.portable and getattr(x, "dtype", None) == np.float32


def function(name: str, usual: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Return a function of one array, and options, that follows the mode.

    Parameters
    ----------
    name : str
        Of the portable function in `refnum.elementary`.
    usual : callable, optional
        What computes it otherwise; by default NumPy's.

    Returns
    -------
    callable
        The choice between the two.
    """
    chosen = usual or _USUAL[name]

    def either(x: Any, *options: Any) -> Any:
        if _portable(x):
            return getattr(import_module("refnum.elementary"), name)(x, *options)
        return chosen(x, *options)

    return either


def total_of(x: Any, axis: _Axis = None, keepdims: bool = False) -> Any:
    """Return the sum along axes."""
    if _portable(x):
        elementary = import_module("refnum.elementary")
        return elementary.sum(x, axis=axis, keepdims=keepdims)
    total = _total_by_blas(x, axis)
    if total is None:
        return np.add.reduce(x, axis, keepdims=keepdims)  # type: ignore[call-overload]
    return np.expand_dims(total, axis) if keepdims and axis is not None else total


def _total_by_blas(x: Any, axis: _Axis) -> Any:
    """Return the sum of a large array along its last axis, or along all others.

    A product with ones takes a third of the time of `sum`. None for other sums, and for
    long rows: `sum` adds their elements pairwise, which loses less.
    """
    if axis is None or not isinstance(x, np.ndarray) or x.size < _LARGE:
        return None
    if x.dtype not in (np.float32, np.float64) or not x.flags.c_contiguous:
        return None
    last, columns = x.ndim - 1, x.shape[-1]
    given = axis if isinstance(axis, tuple) else (axis,)
    axes = sorted(k + x.ndim if k < 0 else k for k in given)
    if max(columns, x.size // columns if axes != [last] else 0) > _LONG:
        return None
    if axes == [last]:
        return (x.reshape(-1, columns) @ _ones(columns, x.dtype)).reshape(x.shape[:-1])
    if axes == list(range(last)) and columns > 1:
        return _ones(x.size // columns, x.dtype) @ x.reshape(-1, columns)
    return None


@lru_cache(maxsize=32)
def _ones(count: int, dtype: np.dtype[Any]) -> _Array:
    return np.ones(count, dtype)


def power_of(x: Any, y: Any) -> Any:
    """Return x ** y; portable numerics know integer powers, also of square roots."""
    if not (_portable(x) or _portable(y)):
        return np.power(x, y)
    power = import_module("refnum.elementary").power
    if np.ndim(y) == 0:
        exponent, halves = float(y), 2 * float(y)
        if exponent.is_integer() and abs(exponent) <= _LARGEST_POWER:
            return power(x, int(exponent))
        if halves.is_integer() and abs(halves) <= _LARGEST_POWER:
            root = function("sqrt" if halves > 0 else "rsqrt")(x)
            return root if abs(halves) == 1 else power(root, int(abs(halves)))
    given = f"not {y}" if np.ndim(y) == 0 else f"not an array of shape {np.shape(y)}"
    raise ValueError(
        f"reproducible powers have an integer from {-_LARGEST_POWER} to "
        f"{_LARGEST_POWER} as exponent, or half of one, {given}: write "
        "exp(y * log(x)), or compute it with numerics=FAST"
    )


def product_of(a: _Array, b: _Array, accumulator: Accumulator | None) -> _Array:
    """Return the product of matrices or stacks of them.

    `accumulator` goes before the mode's own; float32 alone has one.
    """
    if a.dtype != np.float32:
        if accumulator is not None:
            raise TypeError(f"{accumulator} makes float32 products, not {a.dtype}")
        return np.asarray(np.matmul(a, b))
    chosen = accumulator or MODE.get().numerics.accumulator
    if chosen is None:
        return np.asarray(np.matmul(_spelled_out(a), _spelled_out(b)))
    return matmul(a, b, accumulator=chosen)


def _spelled_out(x: _Array) -> _Array:
    """Return a copy of what only repeats elements, which BLAS does not take."""
    return x.copy() if 0 in x.strides else x


def _silu(x: Any) -> Any:
    return x * _sigmoid(x)


def _gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        return 0.5 * x * (np.tanh(_ROOT_TWO_OVER_PI * (x + 0.044715 * x * x * x)) + 1)
    return 0.5 * x * (_erf(x * _ROOT_HALF) + 1)


def _erf(x: Any) -> Any:
    from scipy.special import erf

    return erf(x)


def _sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


_USUAL: dict[str, Callable[..., Any]] = {
    "cos": np.cos,
    "erf": _erf,
    "exp": np.exp,
    "expm1": np.expm1,
    "gelu": _gelu,
    "log": np.log,
    "log1p": np.log1p,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": _sigmoid,
    "silu": _silu,
    "sin": np.sin,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
}
