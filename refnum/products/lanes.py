"""Operands of one tile, laid out for the fast path, and the number types it runs in.

Vocabulary. A *lane* is a pair of types, one for products and one for exponents. The
narrow lanes are fast and hold exponents of some range; the wide lane holds all.
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
    exponents : dtype
        Type of the exponents of operands and products.
    words : dtype
        Integers of the width of `values`, for its bit patterns.
    mantissa : int
        Fraction bits of `values`.
    bias : int
        Exponent bias of `values`.
    zero : int
        Exponent that stands for a zero operand; twice it fits `exponents`.
    reach : int
        Operands' exponents lie within this distance of 0.
    """

    values: type[np.floating[Any]]
    exponents: type[np.signedinteger[Any]]
    words: type[np.signedinteger[Any]]
    mantissa: int
    bias: int
    zero: int
    reach: int


_INTEGER_BITS = 25  # alignment bits for which the narrow lanes' sums fit int32
# A product of a zero and a number must align below the product of two numbers.
LANES = (
    Lane(np.float32, np.int8, np.int32, 23, 127, zero=-64, reach=20),
    Lane(np.float32, np.int16, np.int32, 23, 127, zero=-8192, reach=45),
    Lane(np.float64, np.int16, np.int64, 52, 1023, zero=-8192, reach=400),
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
        Exponents as the instruction sees them; only meaningful where not zero.
    special : array of bool, shape (rows,)
        Rows that hold a NaN or an infinity.
    reach : int
        Largest distance of an exponent from 0.
    """

    operand: Operand
    values: Values
    exponents: Exponents
    special: npt.NDArray[np.bool_]
    reach: int

    def cut(self, ks: slice, block: int | None) -> Panel:
        """Return the panel between two k."""
        return replace(
            self,
            operand=self.operand.cut(ks, block),
            values=self.values[ks],
            exponents=self.exponents[ks],
        )


def read_panel(operand: Operand, op: MatrixInstruction) -> Panel:
    """Decode a two-dimensional operand for the fast path of `op`."""
    values = operand.values()
    # FP8 on the FP16 path has the exponents of FP16, which has room for all.
    emin = FP16.emin if op.model is Model.EMULATED else operand.format.emin
    if operand.format.bits == FP32.bits:
        emin = FP32.emin
    finite = np.isfinite(values)
    special: npt.NDArray[np.bool_] = np.logical_or.reduce(~finite, axis=1)
    values = np.where(finite, values, 0.0)
    exponents = exponent(values, emin)
    scales = operand.scale_values()
    if scales is not None and op.block is not None:
        assert operand.scale_format is not None
        special |= np.logical_or.reduce(~np.isfinite(scales), axis=1)
        spread = np.repeat(np.where(np.isfinite(scales), scales, 0.0), op.block, axis=1)
        values = values * spread
        exponents = exponents + exponent(spread, operand.scale_format.emin)
    used = np.abs(exponents[values != 0])
    reach = int(used.max()) if used.size else 0
    order = np.ascontiguousarray
    return Panel(operand, order(values.T), order(exponents.T), special, reach)


def choose_lane(reach: int, bits: int) -> Lane:
    """Return the fastest lane for exponents within `reach` and sums of such bits."""
    if bits > _INTEGER_BITS:
        return LANES[-1]
    return next(lane for lane in LANES if reach <= lane.reach)
