"""The largest product exponent of every output of a step, found by a matrix product.

Give an operand of exponent e the weight ``2**(8 e)``, and a zero the weight 0. The
products of weights of one output are powers of two, at most V = ``2**(8 top)``, where
top is what is sought. A floating-point sum of L of them is at least V, since it is at
least each of its terms. It is at most L V: rounding is monotone, and all multiples of V
up to L V are representable. With L < 256 its exponent lies between 8 top and
8 top + 7, whatever the order of the sum, so all but its last three bits are top.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.products.lanes import Lane, Panel

__all__ = ["Tops"]

_Array = npt.NDArray[Any]
_SPACING_BITS = 3  # of the weights' exponents
_MOST_TERMS = (1 << (1 << _SPACING_BITS)) - 1
_WORDS = {np.float32: np.int32, np.float64: np.int64}
_LOW = -(1 << 14)  # below every exponent of a product; twice that fits int16


class Tops:
    """Finds the largest product exponents of steps of two panels.

    Parameters
    ----------
    a, b : Panel
        Rows of A and columns of B.
    terms : int
        Products of a step, at most.
    lane : Lane
        Its range holds all products.
    """

    def __init__(self, a: Panel, b: Panel, terms: int, lane: Lane) -> None:
        self.lane = lane
        self.centre = a.centre + b.centre
        self.weights: tuple[_Array, _Array] | None = None
        reach = (a.spread + b.spread + 1) << _SPACING_BITS
        for dtype in (np.float32, np.float64):
            self.info, self.words = np.finfo(dtype), _WORDS[dtype]
            if terms <= _MOST_TERMS and reach < self.info.maxexp - 1:
                bias = self.info.maxexp - 1
                self.weights = self._weights(a, bias), self._weights(b, bias + 1)
                return
        self.exponents = [
            np.where(x.values == 0, _LOW, x.exponents).astype(np.int16) for x in (a, b)
        ]

    def find(self, ks: slice, rows: slice) -> _Array:
        """Return ``2**top`` for some rows in a step, 0 where all products are zero."""
        if self.weights is None:
            return self._search(ks, rows)
        a, b = self.weights
        total = a[ks, rows].T @ b[ks]
        zero = total == 0 if total.size and total.min() == 0 else None
        word = total.view(self.words)
        word >>= self.info.nmant + _SPACING_BITS
        # The product's exponent has the bias 128 or 1024, a multiple of 8.
        word += self.centre - (self.info.maxexp >> _SPACING_BITS)
        return self._powers(word, zero)

    def _weights(self, x: Panel, bias: int) -> _Array:
        """Return ``2**(8 e)``, the exponents e taken from the one in the middle."""
        word = x.exponents.astype(self.words)
        word -= x.centre
        word <<= _SPACING_BITS
        word += bias
        word <<= self.info.nmant
        word[x.values == 0] = 0
        weights: _Array = word.view(self.info.dtype)
        return weights

    def _search(self, ks: slice, rows: slice) -> _Array:
        """Add and compare all exponents, where no float holds the weights."""
        a, b = (x[ks] for x in self.exponents)
        a = a[:, rows]
        top = np.full((a.shape[1], b.shape[1]), 2 * _LOW, np.int16)
        for left, right in zip(a, b, strict=True):
            np.maximum(top, left[:, None] + right, out=top)
        return self._powers(top, top < _LOW // 2)

    def _powers(self, top: _Array, zero: npt.NDArray[np.bool_] | None) -> _Array:
        """Return powers of two in the type of the lane."""
        word = top.astype(self.lane.words, copy=False)
        word += self.lane.bias
        word <<= self.lane.mantissa
        if zero is not None:
            word[zero] = 0
        powers: _Array = word.view(self.lane.values)
        return powers
