"""The dot instructions of processors, as Intel's and Arm's manuals define them.

Arguments are as in `fused`; the results are float32 values in float64.
"""

from __future__ import annotations

import numpy as np

from refnum.formats import BF16
from refnum.products.instruction import MatrixInstruction
from refnum.products.rounding import Values, add_to_odd, fma

__all__ = ["flushed_fma_step", "fma_step", "odd_pair_step", "paired_fma_step"]

_SMALLEST = 2.0**-126


def fma_step(a: Values, b: Values, c: Values, op: MatrixInstruction) -> Values:
    """One IEEE 754 fused multiply-add after the other, in the order of k."""
    for i in range(a.shape[-1]):
        c = fma(a[..., i], b[..., i], c)
    return c


def flushed_fma_step(a: Values, b: Values, c: Values, op: MatrixInstruction) -> Values:
    """VDPBF16PS: fused multiply-adds that read and write subnormals as zero.

    References
    ----------
    Intel 64 and IA-32 Architectures Software Developer's Manual, VDPBF16PS.
    """
    a, b, c = (_flush(x) for x in (a, b, c))
    for i in range(a.shape[-1]):
        c = _flush(fma(a[..., i], b[..., i], c))
    return c


def paired_fma_step(a: Values, b: Values, c: Values, op: MatrixInstruction) -> Values:
    """TDPBF16PS and TDPFP16PS: two chains from zero, joined, then added to C.

    FP16 operands keep their subnormals; BF16 operands and all results lose them.

    References
    ----------
    Intel 64 and IA-32 Architectures Software Developer's Manual, TDPBF16PS and
    TDPFP16PS.
    """
    if op.a == BF16:
        a, b = _flush(a), _flush(b)
    half = a.shape[-1] // 2
    chains = []
    for start in (0, half):
        chain = np.zeros_like(c)
        for i in range(start, start + half):
            chain = _flush(fma(a[..., i], b[..., i], chain))
        chains.append(chain)
    both = _flush((chains[0] + chains[1]).astype(np.float32).astype(np.float64))
    total = (_flush(c) + both).astype(np.float32).astype(np.float64)
    return _flush(total)


def odd_pair_step(a: Values, b: Values, c: Values, op: MatrixInstruction) -> Values:
    """BFDOT and BFMMLA without FEAT_EBF16: products and sums rounded to odd.

    References
    ----------
    Arm Architecture Reference Manual for A-profile, BFDOT and BFMMLA.
    """
    a, b, c = (_flush(x) for x in (a, b, c))
    products = _to_odd(a * b)
    pair = _to_odd(add_to_odd(products[..., 0], products[..., 1]))
    return _to_odd(add_to_odd(c, pair))


def _to_odd(values: Values) -> Values:
    """Round float64 (itself to odd, or exact) to float32 to odd, flushing subnormals.

    An overflow is infinite, unlike in P3109's mode of that name.
    """
    bits = np.ascontiguousarray(values).view(np.int64)
    kept = bits >> 29
    kept = np.where((bits & ((1 << 29) - 1)) != 0, kept | 1, kept)
    odd = (kept << 29).view(np.float64).reshape(np.shape(values))
    odd = np.where(np.abs(odd) >= 2.0**128, np.copysign(np.inf, odd), odd)
    return _flush(np.where(np.isfinite(values), odd, values))


def _flush(values: Values) -> Values:
    return np.where(np.abs(values) < _SMALLEST, np.copysign(0.0, values), values)
