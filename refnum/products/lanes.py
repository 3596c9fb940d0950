"""Operands of one tile, laid out for the fast path, and the number types it runs in.

Vocabulary. A *lane* is a type for products and sums. The narrow lane is fast and holds
exponents of some range; the wide lane holds all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import FP16, FP32
from refnum.products.instruction import MatrixInstruction, Model
from refnum.products.operands import Operand
from refnum.products.rounding import Exponents, Values, exponent

__all__ = ["LANES", "Lane", "Panel", "choose_lane", "read_panel"]


@dataclass(frozen=True)
class Lane:
    """Number types of the fast path and the exponents for which they are exact.

    Parameters
    ----------
    values : dtype
        float32 or float64: holds products and their aligned integers.
    words : dtype
        Integers of the width of `values`, for its bit patterns.
    mantissa : int
        Fraction bits of `values`.
    bias : int
        Exponent bias of `values`.
    reach : int
        Operands' exponents lie within this distance of 0.
    """

    values: type[np.floating[Any]]
    words: type[np.signedinteger[Any]]
    mantissa: int
    bias: int
    reach: int


_Decoded = tuple[Values, Exponents, npt.NDArray[np.bool_]]
_TABLE_BITS = 8  # formats up to this width are read from tables
_INTEGER_BITS = 25  # alignment bits for which the narrow lane's sums fit int32
LANES = (
    Lane(np.float32, np.int32, 23, 127, reach=45),
    Lane(np.float64, np.int64, 52, 1023, reach=400),
)


@dataclass(frozen=True)
class Panel:
    """Some rows of an operand, finite and with k first.

    Parameters
    ----------
    operand : Operand
        What the panel was read from, for outputs that go back to the readable model.
    values : array of float64, shape (K, rows)
        Values times block scales; zero where they are special.
    exponents : array of int32, shape (K, rows)
        Exponents as the instruction sees them; only meaningful where not zero. Those
        of groups of k in the GROUPED model.
    special : array of bool, shape (rows,)
        Rows that hold a NaN or an infinity.
    lowest, highest : int
        Bounds of the exponents of numbers other than zero.
    """

    operand: Operand
    values: Values
    exponents: Exponents
    special: npt.NDArray[np.bool_]
    lowest: int
    highest: int

    @property
    def reach(self) -> int:
        """Largest distance of an exponent from 0."""
        return max(abs(self.lowest), abs(self.highest))

    @property
    def centre(self) -> int:
        """The exponent in the middle."""
        return (self.lowest + self.highest) // 2

    @property
    def spread(self) -> int:
        """Largest distance of an exponent from the one in the middle."""
        return self.highest - self.centre

    def cut(self, ks: slice, block: int | None) -> Panel:
        """Return the panel between two k, whole groups."""
        group = len(self.values) // max(1, len(self.exponents))
        return replace(
            self,
            operand=self.operand.cut(ks, block),
            values=self.values[ks],
            exponents=self.exponents[ks.start // group : ks.stop // group],
        )

    def reordered(self, ks: npt.NDArray[np.intp]) -> Panel:
        """Return the panel with other rows of values and exponents, in that order."""
        return replace(self, values=self.values[ks], exponents=self.exponents[ks])


def read_panel(operand: Operand, op: MatrixInstruction) -> Panel:
    """Decode a two-dimensional operand for the fast path of `op`."""
    # FP8 on the FP16 path has the exponents of FP16, which has room for all.
    emin = FP16.emin if op.model is Model.EMULATED else operand.format.emin
    if operand.format.bits == FP32.bits:
        emin = FP32.emin
    values, exponents, finite = _decode(operand, emin)
    special: npt.NDArray[np.bool_] = np.logical_or.reduce(~finite, axis=0)
    scales = operand.scale_values()
    if scales is not None and op.block is not None:
        assert operand.scale_format is not None
        finite = np.isfinite(scales)
        special |= np.logical_or.reduce(~finite, axis=1)
        scales = np.where(finite, scales, 0.0).T
        powers = exponent(scales, operand.scale_format.emin)
        values = values * np.repeat(scales, op.block, axis=0)
        exponents = exponents + np.repeat(powers, op.block, axis=0)
    lowest, highest = _bounds(values, exponents)
    return Panel(operand, values, exponents, special, lowest, highest)


def _decode(operand: Operand, emin: int) -> _Decoded:
    """Return values with k first, their exponents, and where they are finite."""
    codes = np.ascontiguousarray(operand.codes.T)
    if operand.format.bits > _TABLE_BITS:
        return _split(replace(operand, codes=codes).values(), emin)
    values, exponents, finite = _split(operand.format.values, emin)
    return values[codes], exponents[codes], finite[codes]


def _split(values: Values, emin: int) -> _Decoded:
    """Return values, 0 where they are not finite, their exponents, and where."""
    finite = np.isfinite(values)
    values = np.where(finite, values, 0.0)
    return values, exponent(values, emin), finite


def _bounds(values: Values, exponents: Exponents) -> tuple[int, int]:
    """Return the smallest and the largest exponent of a number that is not zero."""
    used = exponents[values != 0]
    return (int(used.min()), int(used.max())) if used.size else (0, 0)


def choose_lane(reach: int, bits: int) -> Lane:
    """Return the fastest lane for exponents within `reach` and sums of such bits."""
    if bits > _INTEGER_BITS:
        return LANES[-1]
    return next(lane for lane in LANES if reach <= lane.reach)
