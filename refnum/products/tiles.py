"""The fast path of the FUSED, SCALED and EMULATED models: one tile of D at a time.

A step of a strip of rows is a few array operations, on buffers that stay in the cache.
All are exact, so the result is that of `fused.fused_step`:

- a product of operands of 11 bits or less is exact in float32, and so is its scaling
  by a power of two within the lane's range;
- truncation toward zero is `trunc`, or the conversion to an integer;
- aligned terms are integers below ``2**(alignment_bits + 2)``, and so sums of them are
  exact in any order: in float32 below 2**24, in int32 below 2**31;
- a product whose exponent plus the fraction bits of D stays within range needs no
  care for subnormals or overflow: other outputs are left to the readable model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import FP16, FP32
from refnum.products.instruction import MatrixInstruction, Model
from refnum.products.lanes import LANES, Panel, choose_lane
from refnum.products.models import step_order, step_width
from refnum.products.rounding import Values
from refnum.products.tops import Tops

__all__ = ["fused_tile"]

_Array = npt.NDArray[Any]
# A product has two integer bits, so an aligned term has two bits more than are kept.
_FLOAT_BITS = 13
_FLOAT_TERMS = 256  # of 13 bits, whose sum float32 holds: below 257 * 2**15
_INT_TERMS = 16  # of 25 bits, whose sum int32 holds: below 16 * 2**27
_SAFE = (2.0**-40, 2.0**90)  # magnitudes of C that the narrow lane takes
_STRIP = 1 << 15  # outputs of a strip
_PRODUCTS = 1 << 16  # products in hand at a time: 256 KiB of float32
_LINE = 64  # bytes of a cache line
_NO_BUFFER = 16  # elements, the fewest that NumPy allows


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
    tile = _Tile(a, b, c, op)
    m, n = c.shape
    height = max(1, _STRIP // max(1, n))
    out = np.empty_like(c)
    with np.errstate(all="ignore"):  # of outputs that turn out special
        for first in range(0, m, height):
            rows = slice(first, min(first + height, m))
            out[rows] = tile.chain(rows, c[rows])
    return out


def _reach_of(c: Values) -> int:
    """Return 0 for a C that every lane takes, and the widest lane's reach otherwise."""
    size = np.abs(c[c != 0])
    low, high = _SAFE
    safe = not size.size or (size.min() >= low and size.max() < high)
    return 0 if safe else LANES[-1].reach


class _Tile:
    """The operands of a tile in their lane, k in the order of the steps."""

    def __init__(self, a: Panel, b: Panel, c: Values, op: MatrixInstruction) -> None:
        assert op.alignment_bits is not None
        self.op, self.bits = op, op.alignment_bits
        self.lane = choose_lane(max(a.reach, b.reach, _reach_of(c)), self.bits)
        self.depth = len(a.values)
        a, b = (_in_order(x, op) for x in (a, b))
        self.a, self.b = (_aligned(x.values.shape, self.lane.values) for x in (a, b))
        self.a[...], self.b[...] = a.values, b.values
        self.tops = Tops(a, b, op.terms, self.lane)
        # Integer sums where float32 would lose bits of them.
        small = self.bits <= _FLOAT_BITS and op.terms <= _FLOAT_TERMS
        self.integer = self.lane.values is np.float32 and not small

    def chain(self, rows: slice, c: Values) -> Values:
        """Return C of some rows after all steps."""
        strip = _Strip(self, rows, c)
        width = step_width(self.op)
        for start in range(0, self.depth, width):
            ks = slice(start, start + width)
            if self.op.model is Model.EMULATED:
                strip.emulated(ks)
            else:
                strip.fused(ks)
        return strip.c.astype(np.float64)


class _Strip:
    """The buffers of a strip of rows, and the operations on them."""

    def __init__(self, tile: _Tile, rows: slice, c: Values) -> None:
        self.tile, self.op, self.lane, self.rows = tile, tile.op, tile.lane, rows
        lane, shape = self.lane, c.shape
        self.c: _Array = c.astype(lane.values)
        self.power = _aligned(shape, lane.values)
        self.scale = _aligned(shape, lane.values)
        self.sum = _aligned(shape, np.int32 if tile.integer else lane.values)
        self.total = _aligned(shape, np.float64 if tile.integer else lane.values)
        terms = self.op.terms
        self.together = min(_INT_TERMS, terms) if tile.integer else terms
        self.height = max(1, _PRODUCTS // max(1, self.together * shape[1]))
        products = (self.together, min(self.height, shape[0]), shape[1])
        self.product = _aligned(products, lane.values)
        self.truncated = _aligned(products, np.int32) if tile.integer else self.product
        self.ones = np.ones(self.together, lane.values)

    def fused(self, ks: slice) -> None:
        """One step from C."""
        self._align(ks)
        np.multiply(self.c, self.scale, out=self.total)
        np.trunc(self.total, out=self.total)
        for part in _parts(ks, self.together):
            self._add_products(part)
        self._round()

    def emulated(self, ks: slice) -> None:
        """FP16 steps from zero, then C by an ordinary addition."""
        c = self.c
        self.c = np.zeros_like(c)
        for part in _parts(ks, self.op.terms):
            self.fused(part)
        dtype = np.float16 if self.op.d == FP16 else np.float32
        self.c = (self.c.astype(dtype) + c.astype(dtype)).astype(self.lane.values)

    def _align(self, ks: slice) -> None:
        """Set `power` to 2 to the largest exponents, `scale` to what makes units 1."""
        lane, bits = self.lane, self.tile.bits
        self._c_powers()
        np.maximum(self.power, self.tile.tops.find(ks, self.rows), out=self.power)
        assert self.op.zero_exponent is not None
        # C has this exponent at least. If a lane's scale cannot be that large, what
        # remains to be scaled are zeros, and C with all its bits.
        lowest = max(self.op.zero_exponent, bits + 2 - lane.bias)
        np.maximum(self.power, 2.0**lowest, out=self.power)
        np.divide(2.0**bits, self.power, out=self.scale)

    def _c_powers(self) -> None:
        """Set `power` to 2 to the exponents of C, and to 0 for zeros."""
        lane, emin = self.lane, self.op.d.emin
        mask = 2 * lane.bias + 1 << lane.mantissa
        np.bitwise_and(self.c.view(lane.words), mask, out=self.power.view(lane.words))
        if emin > 1 - lane.bias:  # subnormal numbers of D are normal in the lane
            np.maximum(self.power, 2.0**emin, out=self.power, where=self.c != 0)

    def _add_products(self, ks: slice) -> None:
        """Add the truncated products of some k to `total`, in units."""
        a, b = self.tile.a[ks, self.rows], self.tile.b[ks]
        with np.errstate():  # it also gives NumPy's buffer its old size back
            # NumPy copies rows that are shorter than the buffer, for nothing.
            np.setbufsize(_NO_BUFFER)
            for first in range(0, len(self.c), self.height):
                rows = slice(first, first + self.height)
                self._sum(a[:, rows], b, self.scale[rows], self.sum[rows])
        self.total += self.sum

    def _sum(self, a: _Array, b: _Array, scale: _Array, out: _Array) -> None:
        """Set `out` to the sum of truncated products over the first axis."""
        shape = slice(len(a)), slice(len(scale))
        product, truncated = self.product[shape], self.truncated[shape]
        np.multiply(a[:, :, None], b[:, None, :], out=product)
        np.multiply(product, scale, out=product)
        if self.tile.integer:
            np.copyto(truncated, product, casting="unsafe")
            np.add.reduce(truncated, axis=0, out=out)
        else:
            np.trunc(product, out=product)
            rows = product.reshape(len(a), -1)
            np.dot(self.ones[: len(a)], rows, out=out.reshape(-1))

    def _round(self) -> None:
        """Set C to `total`, rounded to D."""
        np.divide(self.total, self.scale, out=self.total)
        if self.op.d == FP16:
            self.c = self.total.astype(np.float16).astype(self.lane.values)
            return
        _truncate(self.total, self.op.fraction_bits)
        if self.lane.values is np.float64:
            _float32_range(self.total)
        np.add(self.total, 0.0, out=self.c, casting="same_kind")  # no -0


def _parts(ks: slice, length: int) -> list[slice]:
    """Return consecutive slices of some length, the last maybe shorter."""
    starts = range(ks.start, ks.stop, length)
    return [slice(k, min(k + length, ks.stop)) for k in starts]


def _in_order(x: Panel, op: MatrixInstruction) -> Panel:
    """Return a panel with k in the order of the steps."""
    width, order = step_width(op), step_order(op)
    if (order == np.arange(width)).all():
        return x
    starts = np.arange(0, len(x.values), width)
    return x.reordered((starts[:, None] + order).ravel())


def _aligned(shape: tuple[int, ...], dtype: npt.DTypeLike) -> _Array:
    """Return an empty array that starts at a cache line, as vector units like it."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(size + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + size].view(dtype).reshape(shape)


def _truncate(total: _Array, fraction_bits: int) -> None:
    """Truncate the significands of floats to some fraction bits."""
    word = np.int32 if total.dtype == np.float32 else np.int64
    bits = total.view(word)
    dropped = np.finfo(total.dtype).nmant - fraction_bits
    np.bitwise_and(bits, -1 << dropped, out=bits)


def _float32_range(total: Values) -> None:
    """Make infinite what float32 cannot hold, and NaN what it holds as subnormal."""
    size = np.abs(total)
    total[size >= 2.0 ** (FP32.emax + 1)] = np.inf
    total[(size < FP32.smallest_normal) & (total != 0)] = np.nan
