"""The fast path of the GROUPED model: one matrix product for each step.

With its operands multiplied by their scales, a step is an ordinary dot product, and
float64 holds it exactly in any order while no group loses bits to the alignment:
a group is a multiple of the product of its scales' last bits and of 1/4, so
it is whole as long as the largest exponent is not too far above its own. C loses bits
if the largest exponent exceeds its own by more than 12. Outputs where either happens
take that step in the readable model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refnum.formats import FP32
from refnum.products.instruction import MatrixInstruction
from refnum.products.lanes import Panel
from refnum.products.models import chain_steps, step_width
from refnum.products.operands import Operand
from refnum.products.rounding import Exponents, Values, exponent

__all__ = ["grouped_tile", "read_groups"]

_GROUP = 16
_UNIT_BITS = 2  # a product of two E2M1 numbers is a multiple of 2**-2
_LOW, _HIGH = -2000, 2000  # exponents of empty groups, below or above all others
_FLOAT32_BITS = 24


def read_groups(operand: Operand, op: MatrixInstruction) -> Panel:
    """Decode a two-dimensional operand; `exponents` are those of groups.

    They have shape (K / 16, rows), and `_LOW` for a group of zeros.
    """
    values, scales = operand.values(), operand.scale_values()
    assert scales is not None
    assert op.block is not None
    assert op.scale is not None
    finite = np.isfinite(scales)
    scales = np.where(finite, scales, 0.0)
    values = values * np.repeat(scales, op.block, axis=1)
    groups = values.reshape(len(values), -1, _GROUP)
    exponents = np.repeat(exponent(scales, op.scale.emin), op.block // _GROUP, axis=1)
    exponents = np.where((groups == 0).all(axis=-1), _LOW, exponents)
    return Panel(
        operand,
        np.ascontiguousarray(values.T),
        np.ascontiguousarray(exponents.T),
        np.logical_or.reduce(~finite, axis=1),
        lowest=0,
        highest=0,
    )


def grouped_tile(a: Panel, b: Panel, c: Values, op: MatrixInstruction) -> Values:
    """Return C after all steps; outputs that are not finite are not to be trusted."""
    assert op.alignment_bits is not None
    assert op.scale is not None
    whole = op.alignment_bits - _UNIT_BITS - 2 * op.scale.mantissa_bits
    width = step_width(op)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(a.values), width):
            ks = slice(start, start + width)
            total = a.values[ks].T @ b.values[ks]
            total += c
            _truncate(total)
            groups = slice(start // _GROUP, (start + width) // _GROUP)
            unsure = _unsure(a.exponents[groups], b.exponents[groups], c, op, whole)
            rows, columns = np.nonzero(unsure)
            if rows.size:
                total[rows, columns] = _step(a, b, rows, columns, c, ks, op)
            c = total
    return c


def _unsure(
    ea: Exponents,
    eb: Exponents,
    c: Values,
    op: MatrixInstruction,
    whole: int,
) -> npt.NDArray[np.bool_]:
    """Return where a group or C may lose bits; may name more outputs than do."""
    assert op.alignment_bits is not None
    top = ea[0][:, None] + eb[0]
    for one, other in zip(ea[1:], eb[1:], strict=True):
        np.maximum(top, one[:, None] + other, out=top)
    assert op.zero_exponent is not None
    np.maximum(top, np.int32(op.zero_exponent), out=top)  # C has that at least
    size = np.abs(c)
    c_may = op.alignment_bits - (_FLOAT32_BITS - 1)
    bits = (top.astype(np.int64) + (1023 - c_may)).clip(0, 2046) << 52
    unsure: npt.NDArray[np.bool_] = (size < bits.view(np.float64)) & (size != 0)
    # The tile's extremes usually settle the groups.
    low_a, low_b = (np.where(e == _LOW, _HIGH, e) for e in (ea, eb))
    lowest = int(low_a.min(initial=_HIGH)) + int(low_b.min(initial=_HIGH))
    largest = max(int(top.max()), int(np.frexp(size.max())[1]) - 1)
    if largest - lowest > whole:
        low = low_a[0][:, None] + low_b[0]
        for one, other in zip(low_a[1:], low_b[1:], strict=True):
            np.minimum(low, one[:, None] + other, out=low)
        c_top = np.where(size == 0, 2 * _LOW, np.frexp(size)[1] - 1)
        unsure |= np.maximum(top, c_top) - low > whole
    return unsure


def _step(
    a: Panel,
    b: Panel,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    c: Values,
    ks: slice,
    op: MatrixInstruction,
) -> Values:
    """Return one step of some outputs by the readable model."""
    x = a.operand.cut(ks, op.block).take(rows)
    y = b.operand.cut(ks, op.block).take(columns)
    alpha, beta = x.scale_values(), y.scale_values()
    assert alpha is not None
    assert beta is not None
    values = x.values(), y.values()
    return chain_steps(*values, c[rows, columns], op, (alpha, beta))


def _truncate(total: Values) -> None:
    """Truncate to float32; NaN marks what is not a normal float32."""
    bits = total.view(np.int64)
    np.bitwise_and(bits, -1 << (52 - FP32.mantissa_bits), out=bits)
    if total.size:
        size = np.abs(total)
        if size.max() >= 2.0**127 or size.min() < FP32.smallest_normal:
            lost = (size < FP32.smallest_normal) & (total != 0)
            total[lost | (size >= 2.0 ** (FP32.emax + 1))] = np.nan
    total += 0.0
