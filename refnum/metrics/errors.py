"""How far apart two tensors are.

A *reference* x is compared with *values* y, its approximation, both as wholes. Sums run
in float64 in an order that depends on the shape alone, so neither memory layout nor
machine changes a digit: chunks of the elements in C order are folded in halves, and
`math.fsum` adds the chunks exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from math import fsum, inf, log2, log10
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.metrics.chunks import chunks_of

__all__ = ["effective_bits", "misalignment", "relative_mse", "slope", "sqnr"]

_Floats = npt.NDArray[np.float64]


def relative_mse(reference: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Compute the squared error over the squared reference, Σ(x − y)² / Σx².

    Parameters
    ----------
    reference, values : array_like of real numbers
        Finite, of one shape; the reference is not all zero.

    Returns
    -------
    float
        0 for equal tensors, 1 for values of zero.

    Raises
    ------
    TypeError
        If an argument holds no real numbers.
    ValueError
        If the shapes differ, an argument is empty or not finite, or the reference is
        zero.

    References
    ----------
    Panferov et al., "Quartet II", arXiv 2601.22813: the error tables.

    Examples
    --------
    >>> relative_mse([3.0, 4.0], [3.0, 3.0])
    0.04
    """
    pairs = _Pairs(reference, values)
    return pairs.sum_of(lambda x, y: (x - y) ** 2) / pairs.norm


def sqnr(reference: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Compute the signal to quantisation noise ratio in dB.

    Parameters
    ----------
    reference, values : array_like of real numbers
        Finite, of one shape; the reference is not all zero.

    Returns
    -------
    float
        ``-10 log10(relative_mse)``; infinity for equal tensors.

    Raises
    ------
    TypeError, ValueError
        As `relative_mse`.

    Examples
    --------
    >>> round(sqnr([3.0, 4.0], [3.0, 3.0]), 3)
    13.979
    """
    error = relative_mse(reference, values)
    return -10 * log10(error) if error else inf


def effective_bits(reference: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Compute the bits a value that such an error leaves, −log2(relative MSE) / 2.

    Parameters
    ----------
    reference, values : array_like of real numbers
        Finite, of one shape; the reference is not all zero.

    Returns
    -------
    float
        Bits: one more halves the error's root mean square. Infinity for equal tensors.

    Raises
    ------
    TypeError, ValueError
        As `relative_mse`.

    References
    ----------
    Panferov et al., "Quartet II", arXiv 2601.22813.

    Examples
    --------
    >>> effective_bits([8.0, 8.0], [7.0, 9.0])
    3.0
    """
    error = relative_mse(reference, values)
    return -log2(error) / 2 if error else inf


def misalignment(reference: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Compute how much of the reference the values lack, 1 − ⟨x, y⟩ / ⟨x, x⟩.

    Parameters
    ----------
    reference, values : array_like of real numbers
        Finite, of one shape; the reference is not all zero.

    Returns
    -------
    float
        0 in the mean for an unbiased rounding; positive where values shrink.

    Raises
    ------
    TypeError, ValueError
        As `relative_mse`.

    References
    ----------
    Castro et al., "Quartet", arXiv 2505.14669, section 4.3.

    Examples
    --------
    >>> misalignment([3.0, 4.0], [3.0, 3.0])
    0.16
    """
    pairs = _Pairs(reference, values)
    return pairs.sum_of(lambda x, y: x * (x - y)) / pairs.norm


def slope(reference: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Compute the least-squares slope of values on the reference, ⟨x, y⟩ / ⟨x, x⟩.

    Parameters
    ----------
    reference, values : array_like of real numbers
        Finite, of one shape; the reference is not all zero.

    Returns
    -------
    float
        Below 1 where a rounding shrinks.

    Raises
    ------
    TypeError, ValueError
        As `relative_mse`.

    See Also
    --------
    misalignment : One minus the slope, without cancellation.

    Examples
    --------
    >>> slope([3.0, 4.0], [3.0, 3.0])
    0.84
    """
    pairs = _Pairs(reference, values)
    return pairs.sum_of(lambda x, y: x * y) / pairs.norm


class _Pairs:
    """A reference and its approximation, checked, and scaled by a power of two."""

    def __init__(self, reference: npt.ArrayLike, values: npt.ArrayLike) -> None:
        self._x = _as_reals(reference, "reference")
        self._y = _as_reals(values, "values")
        if self._x.shape != self._y.shape:
            raise ValueError(
                f"the reference has shape {self._x.shape}, the values {self._y.shape}"
            )
        if self._x.size == 0:
            raise ValueError("there are no elements to compare")
        largest = max(float(np.abs(chunk).max()) for chunk in chunks_of(self._x))
        if largest == 0:
            raise ValueError(
                "the reference is all zero: errors relative to it have no value"
            )
        # Squares of the largest element neither overflow nor vanish.
        self._exponent = -int(np.frexp(largest)[1])
        self.norm = self.sum_of(lambda x, y: x * x)

    def sum_of(self, term: Callable[[_Floats, _Floats], _Floats]) -> float:
        """Add up a term of each pair."""
        totals = []
        for x, y in zip(chunks_of(self._x), chunks_of(self._y), strict=True):
            with np.errstate(over="ignore", under="ignore"):
                totals.append(_fold(term(self._scale(x), self._scale(y))))
        return fsum(totals)

    def _scale(self, x: npt.NDArray[Any]) -> _Floats:
        return np.asarray(np.ldexp(x.astype(np.float64), self._exponent))


def _fold(x: _Floats) -> float:
    """Add the second half to the first until one element is left; overwrites `x`."""
    size = x.size
    while size > 1:
        half = size // 2
        x[:half] += x[size - half : size]
        size -= half
    return float(x[0])


def _as_reals(x: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    array = np.asarray(x)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise TypeError(f"the {name} must be real numbers, not {array.dtype}")
    if not all(np.isfinite(chunk).all() for chunk in chunks_of(array)):
        raise ValueError(f"the {name} must be finite")
    return array
