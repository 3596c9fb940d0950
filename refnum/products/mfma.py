"""The steps of AMD's matrix cores, one function a generation.

Arguments are as in `fused`: operands of one step on the last axis, C without it, all
float64; the results are float32 values in float64.
"""

from __future__ import annotations

import numpy as np

from refnum.products.fused import aligned_sum
from refnum.products.instruction import MatrixInstruction
from refnum.products.rounding import (
    Exponents,
    Values,
    add_to_odd,
    exponent,
    floor_to,
    round_sum,
    two_sum,
)

__all__ = ["exact_step", "flushed_step", "split_tree_step", "tree_step"]

_NO_TERM = np.int32(-999)  # exponent of a zero product: below all others
_SUM_BITS = 31  # fraction bits of the last sum, before it is rounded
_FLOAT32_MIN = 2.0**-126


def tree_step(a: Values, b: Values, c: Values, op: MatrixInstruction) -> Values:
    """CDNA3, 16 and 32 bits: truncate the products, floor the sum with C, round.

    References
    ----------
    Xie et al., arXiv 2511.10909 (TR-FDPA), which names the floor as the source of
    the asymmetry between D(A, B, C) and -D(-A, B, -C).
    """
    products = a * b
    overflow = np.abs(products) >= 2.0**128
    products = np.where(overflow, products * np.inf, products)
    exponents = _product_exponents(a, b, products, op)
    ieee, products = _split_specials(products, c)
    dot = aligned_sum(products, exponents, _bits(op))
    return _join(dot, exponents.max(axis=-1), c, op, ieee)


def split_tree_step(a: Values, b: Values, c: Values, op: MatrixInstruction) -> Values:
    """CDNA3, 8 bits: TREE over even and odd k, and a C that may drop out.

    References
    ----------
    Xie et al., arXiv 2511.10909 (GTR-FDPA).
    """
    products = a * b
    exponents = _product_exponents(a, b, products, op)
    ieee, products = _split_specials(products, c)
    bits = _bits(op)
    largest = exponents.max(axis=-1)
    unit = largest - np.int32(bits)
    dot = np.zeros_like(ieee)
    for part in (np.s_[..., ::2], np.s_[..., 1::2]):
        dot += floor_to(aligned_sum(products[part], exponents[part], bits), unit)
    c_reaches = exponent(c, op.d.emin) >= largest - np.int32(bits + 1)
    return _join(dot, largest, np.where(c_reaches, c, 0.0), op, ieee, c)


def flushed_step(a: Values, b: Values, c: Values, op: MatrixInstruction) -> Values:
    """CDNA2: float32 products and pairwise sums; subnormals are flushed throughout.

    References
    ----------
    Xie et al., arXiv 2511.10909; ROCm documentation on MI200 flushing subnormals.
    """
    a, b = _flush(a, 2.0**op.a.emin), _flush(b, 2.0**op.b.emin)
    sums = _flush_sign(_float32(a * b))
    while sums.shape[-1] > 1:
        sums = _flush_sign(_float32(sums[..., ::2] + sums[..., 1::2]))
    return _flush_sign(_float32(_flush(c, _FLOAT32_MIN) + sums[..., 0]))


def exact_step(a: Values, b: Values, c: Values, op: MatrixInstruction) -> Values:
    """CDNA1: the exact sum of the products and C, rounded once.

    References
    ----------
    Xie et al., arXiv 2511.10909 (E-FDPA).
    """
    terms = np.concatenate([a * b, c[..., None]], axis=-1)
    ieee = terms.sum(axis=-1)
    finite = np.isfinite(ieee)
    terms = np.where(finite[..., None], terms, 0.0)
    total = round_sum(_sum_to_odd(terms), op.d, op.rounding, op.fraction_bits)
    return np.where(finite, total, ieee)


def _join(
    dot: Values,
    dot_exponent: Exponents,
    c: Values,
    op: MatrixInstruction,
    ieee: Values,
    whole_c: Values | None = None,
) -> Values:
    """Floor the products' sum and C at the larger exponent, add, round once."""
    emin = op.d.emin
    finite_c = np.where(np.isfinite(c), c, 0.0)
    c_exponent = exponent(finite_c if whole_c is None else whole_c, emin)
    top = np.maximum(dot_exponent, c_exponent)
    total = floor_to(dot, top - np.int32(_SUM_BITS + 1))
    total = total + floor_to(finite_c, top - np.int32(_bits(op)))
    total = floor_to(total, exponent(total, emin) - np.int32(_SUM_BITS))
    rounded = round_sum(total, op.d, op.rounding, op.fraction_bits)
    return np.where(np.isfinite(ieee), rounded, ieee)


def _product_exponents(
    a: Values, b: Values, products: Values, op: MatrixInstruction
) -> Exponents:
    exponents = exponent(a, op.a.emin) + exponent(b, op.b.emin)
    return np.where(products == 0, _NO_TERM, exponents)


def _split_specials(products: Values, c: Values) -> tuple[Values, Values]:
    """Return IEEE's own sum with C, and the products with zeros where it is special."""
    ieee = products.sum(axis=-1) + c
    return ieee, np.where(np.isfinite(ieee)[..., None], products, 0.0)


def _sum_to_odd(terms: Values) -> Values:
    """Return the exact sums over the last axis, rounded to odd.

    Shewchuk's expansion: each new term runs through the parts, which stay
    nonoverlapping, so that adding them from the smallest on, to odd, loses nothing
    that a rounding to 24 bits could see.
    """
    parts: list[Values] = []
    for i in range(terms.shape[-1]):
        carry = terms[..., i]
        for j, part in enumerate(parts):
            carry, parts[j] = two_sum(carry, part)
        parts.append(carry)
    total = parts[0]
    for part in parts[1:]:
        total = add_to_odd(part, total)
    return total


def _float32(values: Values) -> Values:
    """Round sums or products of float32 values, exact enough in float64, once more."""
    return values.astype(np.float32).astype(np.float64)


def _flush(values: Values, smallest: float) -> Values:
    return np.where(np.abs(values) < smallest, 0.0, values)


def _flush_sign(values: Values) -> Values:
    return np.where(np.abs(values) < _FLOAT32_MIN, np.copysign(0.0, values), values)


def _bits(op: MatrixInstruction) -> int:
    assert op.alignment_bits is not None
    return op.alignment_bits
