"""Wide accumulators: how many bits an exact sum of products needs, and that sum.

A Kulisch accumulator is a fixed-point window wide enough for every product of two
formats, so that sums are exact until the very end. `kulisch_product` is the readable
definition of the exact product, in Python's integers.

References
----------
Kulisch, Computer Arithmetic and Validity, 2nd ed. (2013), chapter 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import Format
from refnum.products.rounding import round_fraction

__all__ = ["Window", "kulisch_product", "kulisch_window"]


@dataclass(frozen=True)
class Window:
    """A fixed-point window.

    Parameters
    ----------
    low : int
        Exponent of the last bit.
    high : int
        Exponent of the first bit below the sign and the carries.
    carries : int
        Bits above it that sums may run into.
    """

    low: int
    high: int
    carries: int

    @property
    def bits(self) -> int:
        """Width, with the sign."""
        return self.high - self.low + 1 + self.carries + 1


def kulisch_window(a: Format, b: Format, terms: int = 1) -> Window:
    """Return the window in which sums of products of two formats are exact.

    Parameters
    ----------
    a, b : Format
        Formats of the factors.
    terms : int
        Products in a sum.

    Raises
    ------
    ValueError
        If `terms` is not positive.

    Examples
    --------
    >>> import refnum as rn
    >>> kulisch_window(rn.E5M2, rn.E5M2)
    Window(low=-32, high=31, carries=0)
    >>> kulisch_window(rn.E4M3, rn.E4M3, terms=4096).bits
    49
    """
    if terms < 1:
        raise ValueError(f"terms = {terms} is not positive")
    unit = Fraction(a.smallest_subnormal) * Fraction(b.smallest_subnormal)
    product = Fraction(a.max) * Fraction(b.max) / unit
    single = int(product).bit_length()
    whole = int(product * terms).bit_length()
    low = unit.numerator.bit_length() - unit.denominator.bit_length()
    return Window(low, low + single - 1, whole - single)


def kulisch_product(
    a: npt.NDArray[np.floating[Any]], b: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float32]:
    """Return ``a @ b`` from exact integer sums, rounded once; finite values only.

    Parameters
    ----------
    a, b : array of floats, shape (M, K) and (K, N)
        Finite factors.

    Returns
    -------
    ndarray of float32, shape (M, N)
        What `matmul` returns with `EXACT`, some thousand times slower.

    Examples
    --------
    >>> kulisch_product(np.array([[2.0**60, 1.0]]), np.array([[2.0**60], [1.0]]))
    array([[1.329228e+36]], dtype=float32)
    """
    out = np.zeros((a.shape[0], b.shape[1]), np.float32)
    rows = [[Fraction(x) for x in row] for row in a.tolist()]
    columns = [[Fraction(x) for x in column] for column in b.T.tolist()]
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            exact = sum(
                (x * y for x, y in zip(row, column, strict=True)), start=Fraction()
            )
            out[i, j] = round_fraction(exact)
    return out
