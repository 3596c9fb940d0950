"""Accumulation of one tile: the fast path where it holds, the readable model elsewhere.

The fast paths know finite operands and results within the normal range of D. What
they cannot vouch for, they leave as NaN, and it is computed again here, output by
output, by `readable.chain_pairs`.
"""

from __future__ import annotations

import numpy as np

from refnum.formats import FP16, FP32, Rounding
from refnum.products.grouped import grouped_tile, read_groups
from refnum.products.instruction import MatrixInstruction, Model
from refnum.products.lanes import Panel, read_panel
from refnum.products.operands import Operand
from refnum.products.readable import chain, chain_pairs
from refnum.products.rounding import Values
from refnum.products.tiles import fused_tile

__all__ = ["accumulate", "read_side"]

_MOST_BITS = 40  # with 64 terms and C, sums stay below 2**53 units


def read_side(operand: Operand, op: MatrixInstruction) -> Panel:
    """Decode rows of an operand for `accumulate`."""
    return (read_groups if op.model is Model.GROUPED else read_panel)(operand, op)


def accumulate(a: Panel, b: Panel, c: Values, op: MatrixInstruction) -> Values:
    """Return C after all steps of a tile, as `models.chain_steps` defines it.

    Parameters
    ----------
    a, b : Panel
        Rows of A and columns of B.
    c : array of float64, shape (rows of a, rows of b)
        The accumulator.
    op : MatrixInstruction
        Any instruction.
    """
    if not _has_fast_path(op):
        return chain(a.operand, b.operand, c, op)
    fast = grouped_tile if op.model is Model.GROUPED else fused_tile
    out = fast(a, b, np.where(np.isfinite(c), c, 0.0), op)
    redo = ~np.isfinite(out) | ~np.isfinite(c) | a.special[:, None] | b.special
    rows, columns = np.nonzero(redo)
    if rows.size:
        out[rows, columns] = chain_pairs(
            a.operand, b.operand, rows, columns, c[rows, columns], op
        )
    return out


def _has_fast_path(op: MatrixInstruction) -> bool:
    """Whether the fast paths know the model and the rounding of a record."""
    if op.model not in (Model.FUSED, Model.SCALED, Model.EMULATED, Model.GROUPED):
        return False
    if op.zero_exponent is None or op.zero_exponent >= op.d.emin:
        return False
    if op.alignment_bits is None or op.alignment_bits > _MOST_BITS:
        return False
    if op.d == FP16:
        nearest = op.rounding is Rounding.NEAREST_EVEN
        return nearest and op.fraction_bits == FP16.mantissa_bits
    few = op.fraction_bits <= FP32.mantissa_bits
    whole = op.model is not Model.GROUPED or op.fraction_bits == FP32.mantissa_bits
    return op.rounding is Rounding.TOWARD_ZERO and few and whole
