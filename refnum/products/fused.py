"""The steps of NVIDIA's tensor cores: align to the largest term, truncate, add.

Vocabulary. The *exponent of a product* is the sum of its operands' exponents, not
the exponent of the product, so its significand may reach 4. A zero term takes part
with an exponent below that of all others. Sums of aligned terms are exact.

Every function takes products of one step on the last axis and returns float64
values of D, infinities and NaN included.
"""

from __future__ import annotations

import numpy as np

from refnum.formats import FP16
from refnum.products.instruction import MatrixInstruction
from refnum.products.rounding import (
    Exponents,
    Result,
    Values,
    exponent,
    round_sum,
    truncate_to,
)

__all__ = ["aligned_sum", "emulated_step", "fused_step", "grouped_step"]

_GROUP = 16  # products that the 4-bit kinds add before they align


def fused_step(
    a: Values, b: Values, c: Values, op: MatrixInstruction, *, scale: Values | None
) -> Values:
    """One step of models FUSED and SCALED.

    Parameters
    ----------
    a, b : array of float64, shape (..., L)
        Operands, broadcast against each other.
    c : array of float64, shape (...)
        The accumulator, values of D.
    op : MatrixInstruction
        Alignment, exponent of zero and rounding.
    scale : array of float64, shape (..., 1), or None
        Product of the two block scales: a power of two or NaN.

    References
    ----------
    Khattak and Mikaitis, arXiv 2512.07004; Xie et al., arXiv 2511.10909 (T-FDPA
    and ST-FDPA).
    """
    exponents = exponent(a, op.a.emin) + exponent(b, op.b.emin)
    products = a * b
    if scale is not None:
        products = products * scale
        exponents = exponents + exponent(scale, -2 * 127)
    exponents = np.where(products == 0, _zero(op), exponents)
    return _accumulate(products, exponents, c, op)


def grouped_step(
    a: Values, b: Values, c: Values, op: MatrixInstruction, *, scale: Values
) -> Values:
    """One step of model GROUPED: exact 16-term sums, aligned on their scales.

    Parameters
    ----------
    a, b, c, op
        As for `fused_step`; L is a multiple of 16.
    scale : array of float64, shape (..., L / 16, 2)
        The block scales of A and of B for each group of 16.

    References
    ----------
    Xie et al., arXiv 2511.10909 (GST-FDPA).
    """
    products = a * b
    groups = products.reshape(*products.shape[:-1], -1, _GROUP)
    emin = op.scale.emin if op.scale is not None else 0
    exponents = exponent(scale, emin).sum(axis=-1, dtype=np.int32)
    factor = scale.prod(axis=-1)
    # Zero by cancellation is an ordinary sum: it keeps the exponent of its scales.
    empty = (groups == 0).all(axis=-1) | (factor == 0)
    exponents = np.where(empty, _zero(op), exponents)
    return _accumulate(groups.sum(axis=-1) * factor, exponents, c, op)


def emulated_step(a: Values, b: Values, c: Values, op: MatrixInstruction) -> Values:
    """FP8 `mma.sync` where the chip has no such path: FP16 steps, then C.

    The 32 products come in `Order.PAIRS`. Two fused steps of 16 start from zero with
    FP16 operand exponents; C is added last, rounded to nearest even.

    Notes
    -----
    Found in result vectors of H100, H200 and B200 (Khattak and Mikaitis, arXiv
    2512.07004, data) and confirmed on an H100 by `golden/hardware/h100`.
    """
    total = np.zeros_like(c)
    half = op.terms
    for start in range(0, a.shape[-1], half):
        x, y = a[..., start : start + half], b[..., start : start + half]
        exponents = exponent(x, FP16.emin) + exponent(y, FP16.emin)
        products = x * y
        exponents = np.where(products == 0, _zero(op), exponents)
        total = _accumulate(products, exponents, total, op)
    dtype = np.float16 if op.d == FP16 else np.float32
    added: Result = total.astype(dtype) + c.astype(dtype)
    return added.astype(np.float64)


def aligned_sum(terms: Values, exponents: Exponents, bits: int) -> Values:
    """Return the exact sum of terms truncated `bits` below the largest exponent.

    Examples
    --------
    >>> terms, exponents = np.array([4.0, 0.75, -0.75]), np.array([2, -1, -1])
    >>> aligned_sum(terms, exponents, bits=3).item()  # multiples of 2**-1
    4.0
    >>> aligned_sum(terms[:2], exponents[:2], bits=3).item()
    4.5
    """
    unit = exponents.max(axis=-1, keepdims=True) - np.int32(bits)
    total: Values = truncate_to(terms, unit).sum(axis=-1)
    return total


def _accumulate(
    products: Values, exponents: Exponents, c: Values, op: MatrixInstruction
) -> Values:
    """Add C to the aligned products and round; IEEE 754 decides NaN and infinity."""
    c_exponent = np.where(c == 0, _zero(op), exponent(c, op.d.emin))
    terms = np.concatenate([products, c[..., None]], axis=-1)
    exponents = np.concatenate([exponents, c_exponent[..., None]], axis=-1)
    # No finite sum overflows float64, so this is finite where all terms are.
    ieee = terms.sum(axis=-1)
    terms = np.where(np.isfinite(ieee)[..., None], terms, 0.0)
    assert op.alignment_bits is not None
    total = aligned_sum(terms, exponents, op.alignment_bits)
    rounded = round_sum(total, op.d, op.rounding, op.fraction_bits)
    return np.where(np.isfinite(ieee), rounded, ieee)


def _zero(op: MatrixInstruction) -> np.int32:
    assert op.zero_exponent is not None
    return np.int32(op.zero_exponent)
