"""One instruction's arithmetic on values: the door to the readable models.

This is the definition that every faster path is tested against. It takes decoded
operands of any value, and one output at a time is a sum over the last axis.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from refnum.products import cpu, fused, mfma
from refnum.products.instruction import MatrixInstruction, Model, Order
from refnum.products.rounding import Values

__all__ = ["chain_steps", "dot_step", "step_order", "step_width"]

_EMULATED_WIDTH = 32  # products of one FP8 `mma.sync` that two FP16 steps share
_GROUP = 16

_PLAIN: dict[Model, Callable[[Values, Values, Values, MatrixInstruction], Values]] = {
    Model.EMULATED: fused.emulated_step,
    Model.TREE: mfma.tree_step,
    Model.SPLIT_TREE: mfma.split_tree_step,
    Model.FLUSHED: mfma.flushed_step,
    Model.EXACT_STEP: mfma.exact_step,
    Model.FMA: cpu.fma_step,
    Model.FLUSHED_FMA: cpu.flushed_fma_step,
    Model.PAIRED_FMA: cpu.paired_fma_step,
    Model.ODD_PAIR: cpu.odd_pair_step,
}


def dot_step(
    a: Values,
    b: Values,
    c: Values,
    op: MatrixInstruction,
    scales: tuple[Values, Values] | None = None,
) -> Values:
    """Return what one step of an instruction writes.

    Parameters
    ----------
    a, b : array of float64, shape (..., L)
        Operand values in the order of `step_order`, broadcast against each other;
        L is at most `step_width`.
    c : array of float64, shape (...)
        The accumulator, values of the type of D.
    op : MatrixInstruction
        The instruction.
    scales : pair of arrays of float64, shape (..., L / block), or None
        Block scales of A and of B, for the models that apply them.

    Returns
    -------
    array of float64, shape (...)
        Values of the type of D, with IEEE infinities and NaN.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # IEEE 754's, not mistakes
        return _step(a, b, c, op, scales)


def _step(
    a: Values,
    b: Values,
    c: Values,
    op: MatrixInstruction,
    scales: tuple[Values, Values] | None,
) -> Values:
    if op.model is Model.FUSED:
        return fused.fused_step(a, b, c, op, scale=None)
    if op.model is Model.SCALED or op.model is Model.GROUPED:
        if scales is None or op.block is None:
            raise ValueError(f"{op.name} needs the block scales of A and B")
        if op.model is Model.SCALED:
            scale = scales[0] * scales[1]
            return fused.fused_step(a, b, c, op, scale=scale)
        groups = [np.repeat(scale, op.block // _GROUP, axis=-1) for scale in scales]
        pairs = np.stack(np.broadcast_arrays(*groups), axis=-1)
        return fused.grouped_step(a, b, c, op, scale=pairs)
    return _PLAIN[op.model](a, b, c, op)


def step_width(op: MatrixInstruction) -> int:
    """Return how many products one `dot_step` takes."""
    return _EMULATED_WIDTH if op.model is Model.EMULATED else op.terms


def step_order(op: MatrixInstruction) -> npt.NDArray[np.intp]:
    """Return the k of one step in the order in which `dot_step` takes them.

    Examples
    --------
    >>> from refnum.products import instruction
    >>> step_order(instruction("sm90.mma.e4m3.e4m3.f32"))[:6].tolist()
    [0, 1, 4, 5, 8, 9]
    """
    k = np.arange(step_width(op))
    if op.order is Order.PAIRS:
        return np.concatenate([k[k % 4 < 2], k[k % 4 >= 2]])
    if op.order is Order.ODD_FIRST:
        return k.reshape(-1, 2)[:, ::-1].ravel()
    if op.order is Order.EVEN_THEN_ODD:
        return np.concatenate([k[::2], k[1::2]])
    return k


def chain_steps(
    a: Values,
    b: Values,
    c: Values,
    op: MatrixInstruction,
    scales: tuple[Values, Values] | None = None,
) -> Values:
    """Return C after all steps over the last axis, a whole number of them."""
    width = step_width(op)
    order = step_order(op)
    for start in range(0, a.shape[-1], width):
        block = None
        if scales is not None and op.block is not None:
            part = slice(start // op.block, (start + width) // op.block)
            block = (scales[0][..., part], scales[1][..., part])
        c = dot_step(a[..., start + order], b[..., start + order], c, op, block)
    return c
