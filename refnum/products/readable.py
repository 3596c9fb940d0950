"""The readable models over whole matrices, and over lists of single outputs.

Work is cut into parts whose temporaries stay in the cache.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from refnum.products.instruction import MatrixInstruction
from refnum.products.models import chain_steps
from refnum.products.operands import Operand
from refnum.products.rounding import Values

__all__ = ["chain", "chain_pairs"]

_CHUNK = 1 << 15  # products of one step at a time
_PAIRS = 1 << 16  # products of all steps at a time, for single outputs


def chain(left: Operand, right: Operand, c: Values, op: MatrixInstruction) -> Values:
    """Return C after all steps, float64 values of D, a cache-sized part at a time."""
    m, n = c.shape[-2:]
    left, right = left.stack(c.shape[:-2]), right.stack(c.shape[:-2])
    flat = c.reshape(math.prod(c.shape[:-2]), m, n)
    out = np.empty_like(flat)
    rows = max(1, _CHUNK // max(1, n * min(op.terms, left.depth)))
    matrices = max(1, rows // max(1, m))
    for first in range(0, len(flat), matrices):
        batch = slice(first, first + matrices)
        b = right.part(batch, slice(None))
        for top in range(0, m, rows):
            lines = slice(top, top + rows)
            a = left.part(batch, lines)
            out[batch, lines] = _chain_part(a, b, flat[batch, lines], op)
    return out.reshape(c.shape)


def _chain_part(a: Operand, b: Operand, c: Values, op: MatrixInstruction) -> Values:
    alpha, beta = a.scale_values(), b.scale_values()
    scales = None
    if alpha is not None and beta is not None:
        scales = (alpha[:, :, None], beta[:, None])
    return chain_steps(a.values()[:, :, None], b.values()[:, None], c, op, scales)


def chain_pairs(
    a: Operand,
    b: Operand,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    c: Values,
    op: MatrixInstruction,
) -> Values:
    """Return C after all steps for a list of outputs, by the readable model."""
    out = np.empty_like(c)
    together = max(1, _PAIRS // max(1, a.depth))
    for first in range(0, len(c), together):
        part = slice(first, first + together)
        x, y = a.take(rows[part]), b.take(columns[part])
        alpha, beta = x.scale_values(), y.scale_values()
        scales = None if alpha is None or beta is None else (alpha, beta)
        out[part] = chain_steps(x.values(), y.values(), c[part], op, scales)
    return out
