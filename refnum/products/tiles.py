"""The fast path of the FUSED, SCALED and EMULATED models: one tile of D at a time.

For each k the whole tile advances by one product in a few array operations that stay
in the cache. All are exact, so the result is that of `fused.fused_step`:

- a product of operands of 11 bits or less is exact in float32, and so is its scaling
  by a power of two within the lane's range;
- truncation toward zero is `trunc`, or the conversion to an integer;
- sums of aligned terms are integers: below 2**24 with 13 alignment bits, and below
  2**31 for 16 terms with 25;
- a product whose exponent plus the fraction bits of D stays within range needs no
  care for subnormals or overflow: other outputs are left to the readable model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import FP16, FP32
from refnum.products.instruction import MatrixInstruction, Model
from refnum.products.lanes import LANES, Lane, Panel, choose_lane
from refnum.products.models import step_order, step_width
from refnum.products.rounding import Values

__all__ = ["fused_tile"]

_Array = npt.NDArray[Any]
_FLOAT_BITS = 13
_FLOAT_TERMS = 32  # 13-bit aligned terms whose sum float32 holds
_INT_TERMS = 16  # 25-bit aligned terms whose sum int32 holds
_SAFE = (2.0**-40, 2.0**90)  # magnitudes of C that the narrow lanes take


def fused_tile(a: Panel, b: Panel, c: Values, op: MatrixInstruction) -> Values:
    """Return C after all steps; outputs that are not finite are not to be trusted.

    Parameters
    ----------
    a, b : Panel
        Rows of A and columns of B.
    c : array of float64, shape (rows of a, rows of b)
        Start, finite values of D.
    op : MatrixInstruction
        An instruction of model FUSED, SCALED or EMULATED.
    """
    assert op.alignment_bits is not None
    lane = choose_lane(max(a.reach, b.reach, _reach_of(c)), op.alignment_bits)
    tile = _Tile(a, b, c, op, lane)
    with np.errstate(all="ignore"):  # of outputs that turn out special
        for start in range(0, len(a.values), step_width(op)):
            if op.model is Model.EMULATED:
                tile.emulated(start + step_order(op))
            else:
                tile.fused(start + step_order(op))
    return tile.c.astype(np.float64)


def _reach_of(c: Values) -> int:
    """Return 0 for a C that every lane takes, and the widest lane's reach otherwise."""
    size = np.abs(c[c != 0])
    low, high = _SAFE
    safe = not size.size or (size.min() >= low and size.max() < high)
    return 0 if safe else LANES[-1].reach


class _Tile:
    """The buffers of one tile and the operations on them."""

    def __init__(
        self, a: Panel, b: Panel, c: Values, op: MatrixInstruction, lane: Lane
    ) -> None:
        assert op.alignment_bits is not None
        self.op, self.lane, self.bits = op, lane, op.alignment_bits
        self.a, self.b = (x.values.astype(lane.values) for x in (a, b))
        self.ea, self.eb = (
            np.where(x.values == 0, lane.zero, x.exponents).astype(lane.exponents)
            for x in (a, b)
        )
        self.c: _Array = c.astype(lane.values)
        shape = c.shape
        self.product = np.empty(shape, lane.values)
        self.scale = np.empty(shape, lane.values)
        self.word = self.scale.view(lane.words)
        self.total = np.empty(shape, np.float64)
        self.exponent = np.empty(shape, lane.exponents)
        self.top = np.empty(shape, lane.exponents)
        # Integer sums where float32 would lose bits of them.
        self.integer = lane.values is np.float32 and self.bits > _FLOAT_BITS
        self.sum = np.empty(shape, np.int32 if self.integer else lane.values)
        self.truncated = np.empty(shape, np.int32) if self.integer else self.product

    def fused(self, ks: npt.NDArray[np.intp]) -> None:
        """One step from C."""
        self._c_exponents()
        self._align(ks)
        self._add_products(ks)
        np.multiply(self.c, self.scale, out=self.product)
        np.trunc(self.product, out=self.product)
        self.total += self.product
        self._round()

    def emulated(self, ks: npt.NDArray[np.intp]) -> None:
        """Two FP16 steps from zero, then C by an ordinary addition."""
        c = self.c
        self.c = np.zeros_like(c)
        for first in range(0, len(ks), self.op.terms):
            self.fused(ks[first : first + self.op.terms])
        dtype = np.float16 if self.op.d == FP16 else np.float32
        self.c = (self.c.astype(dtype) + c.astype(dtype)).astype(self.lane.values)

    def _c_exponents(self) -> None:
        """Set `top` to the exponents of C, those of zeros below all others."""
        lane = self.lane
        np.right_shift(self.c.view(lane.words), lane.mantissa, out=self.word)
        np.bitwise_and(self.word, 2 * lane.bias + 1, out=self.word)
        self.word -= lane.bias
        zero = self.c == 0
        np.maximum(self.word, self.op.d.emin, out=self.word)
        np.copyto(self.top, self.word, casting="unsafe")
        np.copyto(self.top, 2 * lane.zero, where=zero)

    def _align(self, ks: npt.NDArray[np.intp]) -> None:
        """Set `top` to the largest exponents and `scale` to what makes units of 1."""
        for k in ks:
            np.add(self.ea[k][:, None], self.eb[k], out=self.exponent)
            np.maximum(self.top, self.exponent, out=self.top)
        assert self.op.zero_exponent is not None
        # C has this exponent at least. If a lane's scale cannot be that large, what
        # remains to be scaled are zeros, and C with all its bits.
        lowest = max(self.op.zero_exponent, self.bits + 2 - self.lane.bias)
        np.maximum(self.top, lowest, out=self.top)
        np.copyto(self.word, self.top)
        np.subtract(self.bits + self.lane.bias, self.word, out=self.word)
        np.left_shift(self.word, self.lane.mantissa, out=self.word)

    def _add_products(self, ks: npt.NDArray[np.intp]) -> None:
        """Set `total` to the sum of the truncated products, in units."""
        self.total[...] = 0.0
        together = _INT_TERMS if self.integer else _FLOAT_TERMS
        for first in range(0, len(ks), together):
            self.sum[...] = 0
            for k in ks[first : first + together]:
                # As a matrix product this is faster than broadcasting.
                np.dot(self.a[k][:, None], self.b[k][None, :], out=self.product)
                np.multiply(self.product, self.scale, out=self.product)
                if self.integer:
                    np.copyto(self.truncated, self.product, casting="unsafe")
                else:
                    np.trunc(self.product, out=self.product)
                np.add(self.sum, self.truncated, out=self.sum)
            self.total += self.sum

    def _round(self) -> None:
        """Set C to `total`, rounded to D."""
        lane, op = self.lane, self.op
        np.copyto(self.word, self.top)
        self.word += lane.bias - self.bits
        np.left_shift(self.word, lane.mantissa, out=self.word)
        np.multiply(self.total, self.scale, out=self.total)
        if op.d == FP16:
            self.c = self.total.astype(np.float16).astype(lane.values)
            return
        dropped = 52 - op.fraction_bits
        bits = self.total.view(np.int64)
        np.bitwise_and(bits, -1 << dropped, out=bits)
        if lane.values is np.float64:
            _float32_range(self.total)
        np.copyto(self.c, self.total, casting="unsafe")
        self.c += 0.0


def _float32_range(total: Values) -> None:
    """Make infinite what float32 cannot hold, and NaN what it holds as subnormal."""
    size = np.abs(total)
    total[size >= 2.0 ** (FP32.emax + 1)] = np.inf
    total[(size < FP32.smallest_normal) & (total != 0)] = np.nan
