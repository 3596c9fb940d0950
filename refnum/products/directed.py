"""Operands that make one property of an instruction visible each.

Vocabulary. A *slot* is a place in the order in which products enter steps, so slot
`terms` is the first product of the second step, whatever k that is. Magnitudes
are chosen such that every format of 8 bits and more has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import FP16, FP32, Cast, Format, Saturation, decode, encode
from refnum.products.instruction import MatrixInstruction
from refnum.products.models import step_order, step_width

__all__ = ["CASES", "Case", "directed_case", "directed_cases"]

_Codes = npt.NDArray[np.unsignedinteger[Any]]
_TOP = 14  # exponent of the large term; its square root and twice it are in all formats
_LARGE = (1.5 * 2.0**7, 1.5 * 2.0**7)  # 2.25 * 2**14: one bit above its own exponent
_KEEP = Cast(saturation=Saturation.PROPAGATE)  # infinity stays infinity
_Terms = Mapping[int, tuple[float, float]]


@dataclass(frozen=True)
class Case:
    """Operands and the reason for them.

    Parameters
    ----------
    name : str
        What the case is about, in kebab case.
    why : str
        What it shows.
    a, b : array of codes, shape (M, K) and (K, N)
        Operands.
    c : array of float32 or float16, shape (M, N)
        Accumulator.
    scale_a, scale_b : array of codes or None
        Block scales, all one.
    promote_every : int or None
        The schedule that the case is about.
    """

    name: str
    why: str
    a: _Codes
    b: _Codes
    c: npt.NDArray[np.floating[Any]]
    scale_a: _Codes | None = None
    scale_b: _Codes | None = None
    promote_every: int | None = None


def cancellation(op: MatrixInstruction) -> Case:
    """The smallest product that alignment to a large one keeps."""
    small = _power(_TOP - _bits(op), op)
    terms = {0: _LARGE, 1: small, op.terms - 1: _negative(_LARGE)}
    why = "large terms cancel within a step; the last aligned bit remains"
    return _single(op, "cancellation", why, terms)


def below_alignment(op: MatrixInstruction) -> Case:
    """The largest power of two that alignment to a large product loses."""
    small = _power(_TOP - _bits(op) - 1, op)
    terms = {0: _LARGE, 1: small, op.terms - 1: _negative(_LARGE)}
    why = "one bit below the last aligned bit: nothing remains"
    return _single(op, "below-alignment", why, terms)


def next_step(op: MatrixInstruction) -> Case:
    """Cancellation across two steps, where the output rounding takes the rest."""
    small = _power(_TOP - _bits(op), op)
    terms = {0: _LARGE, 1: small, op.terms: _negative(_LARGE)}
    why = "the large terms cancel in the next step, after the sum was rounded"
    return _single(op, "next-step", why, terms)


def output_rounding(op: MatrixInstruction) -> Case:
    """A sum between two results: the wanted rounding and width decide."""
    fraction = op.fraction_bits
    if op.d == FP16:
        terms = {0: (2.0**7, 2.0**7), 1: _power(_TOP - fraction - 1, op)}
        terms[2] = _power(_TOP - fraction - 3, op)
        why = "five eighths above a result: up to nearest, down toward zero"
    else:
        x, y = _power(_TOP - fraction + 1, op)
        terms = {0: _LARGE, 1: (1.5 * x, y)}
        why = "half a unit above an odd result: up to nearest even, down toward zero"
    return _single(op, "output-rounding", why, terms)


def zero_accumulator(op: MatrixInstruction) -> Case:
    """Products so small that the exponent of the zero C aligns them."""
    return _zero_exponent(op, "zero-accumulator", "the last bit above it counts", 0)


def below_zero_accumulator(op: MatrixInstruction) -> Case:
    """The same, one bit lower."""
    return _zero_exponent(op, "below-zero-accumulator", "the bit below it is lost", 1)


def signed_zeros(op: MatrixInstruction) -> Case:
    """Only negative zeros: the chips' sum is +0."""
    terms = dict.fromkeys(range(op.terms), (-0.0, 1.0))
    return _single(op, "signed-zeros", "a sum of negative zeros is +0", terms, c=-0.0)


def long_tail(op: MatrixInstruction) -> Case:
    """Many products that each lie just below the accumulator's last aligned bit."""
    small = _power(_TOP - _bits(op) - 1, op)
    terms = dict.fromkeys(range(4 * op.terms), small)
    why = "every product is lost against C, their sum would not be"
    return _single(op, "long-tail", why, terms, c=2.0**_TOP)


def max_by_max(op: MatrixInstruction) -> Case:
    """The largest products, of one sign and of alternating signs."""
    depth = 4 * step_width(op)
    a = np.full((2, depth), op.a.max)
    a[1, 1::2] *= -1
    b = np.full((depth, 1), op.b.max)
    return _case(op, "max-by-max", "the largest products there are", a, b, 0.0)


def specials(op: MatrixInstruction) -> Case:
    """NaN, infinities and zeros against one another, and against C."""
    values = [1.0, -1.0, 0.0, -0.0]
    values += [np.inf, -np.inf] if _has_both(op, "infinity") else []
    rows = [(x, y) for x in values for y in (0.0, 1.0, values[-1])]
    if _has_both(op, "nan_code"):
        rows.append((np.nan, 1.0))
    a = np.zeros((len(rows), step_width(op)))
    a[:, :2] = rows
    b = np.zeros((step_width(op), len(rows)))
    b[:2] = np.array(rows).T
    c = np.tile([0.0, -0.0, np.inf, -np.inf, np.nan], len(rows))[: len(rows)]
    why = "NaN, infinity times zero, opposite infinities, infinities in C"
    return _case(op, "specials", why, a, b, c)


def promotion_boundary(op: MatrixInstruction) -> Case:
    """A second half of K that only a promoted sum can see."""
    width = step_width(op)
    half = width * max(1, 128 // width)
    small = _power(_TOP - _bits(op) - 1, op)
    terms = {0: _LARGE} | dict.fromkeys(range(half, 2 * half), small)
    why = "the second partial sum survives promotion and is lost in a chain"
    return _single(op, "promotion-boundary", why, terms, promote_every=half)


CASES: tuple[Callable[[MatrixInstruction], Case], ...] = (
    cancellation,
    below_alignment,
    next_step,
    output_rounding,
    zero_accumulator,
    below_zero_accumulator,
    signed_zeros,
    long_tail,
    max_by_max,
    specials,
    promotion_boundary,
)


def directed_case(name: str, op: MatrixInstruction) -> Case:
    """Return one case.

    Raises
    ------
    ValueError
        If there is no such case, or the operands' formats lack a value of it.

    Examples
    --------
    >>> from refnum.products import instruction, mma
    >>> op = instruction("sm90.wgmma.e4m3.e4m3.f32")
    >>> case = directed_case("cancellation", op)
    >>> mma(case.a, case.b, case.c, op)
    array([[2.]], dtype=float32)
    """
    key = name.replace("-", "_")
    for build in CASES:
        if build.__name__ == key:
            return build(op)
    known = ", ".join(build.__name__.replace("_", "-") for build in CASES)
    raise ValueError(f"unknown case {name!r}; there are {known}")


def directed_cases(op: MatrixInstruction) -> list[Case]:
    """Return all cases whose values the operands' formats have."""
    cases = []
    for build in CASES:
        try:
            cases.append(build(op))
        except ValueError:
            continue
    return cases


def _zero_exponent(op: MatrixInstruction, name: str, why: str, lower: int) -> Case:
    if op.zero_exponent is None:
        raise ValueError(f"{op.name} gives zeros no exponent")
    last = _power(op.zero_exponent - _bits(op) - lower, op)
    if op.d == FP16:
        # Half of the smallest result is a tie, which anything above it breaks.
        terms = {0: _power(-25, op), 1: last}
    else:
        # The smallest result, or just less, which is truncated to zero.
        terms = {0: _power(-149, op), 1: _negative(last)}
    return _single(op, name, f"terms align to the zero accumulator: {why}", terms)


def _single(
    op: MatrixInstruction,
    name: str,
    why: str,
    terms: _Terms,
    *,
    c: float = 0.0,
    promote_every: int | None = None,
) -> Case:
    """Return a case of one output with the given factors in slots."""
    width = step_width(op)
    order = step_order(op)
    depth = (max(terms) // width + 1) * width
    a, b = np.zeros((1, depth)), np.zeros((depth, 1))
    for slot, (x, y) in terms.items():
        k = slot // width * width + order[slot % width]
        a[0, k], b[k, 0] = x, y
    return _case(op, name, why, a, b, c, promote_every)


def _case(
    op: MatrixInstruction,
    name: str,
    why: str,
    a: npt.NDArray[np.float64],
    b: npt.NDArray[np.float64],
    c: npt.ArrayLike,
    promote_every: int | None = None,
) -> Case:
    shape = a.shape[0], b.shape[1]
    dtype = np.float16 if op.d == FP16 else np.float32
    start = np.broadcast_to(np.asarray(c, dtype), shape).copy()
    codes = _codes(a, op.a), _codes(b, op.b)
    case = Case(name, why, *codes, start, promote_every=promote_every)
    if op.scale is None or op.block is None:
        return case
    blocks = a.shape[1] // op.block
    scale_a = _codes(np.ones((shape[0], blocks)), op.scale)
    scale_b = _codes(np.ones((blocks, shape[1])), op.scale)
    return replace(case, scale_a=scale_a, scale_b=scale_b)


def _codes(values: npt.NDArray[np.float64], fmt: Format) -> _Codes:
    codes = encode(values, fmt, _KEEP)
    back = decode(codes, fmt, np.float64)
    if not np.array_equal(back, values, equal_nan=True):
        raise ValueError(f"{fmt} lacks a value of the case")
    return codes


def _power(exponent: int, op: MatrixInstruction) -> tuple[float, float]:
    """Return two powers of two, of the operands' formats, with that product."""
    least = int(np.frexp(op.a.smallest_subnormal)[1]) - 1
    most = int(np.frexp(op.a.max)[1]) - 1
    first = min(max(-(-exponent // 2), least), most)
    return 2.0**first, 2.0 ** (exponent - first)


def _negative(factors: tuple[float, float]) -> tuple[float, float]:
    return -factors[0], factors[1]


def _bits(op: MatrixInstruction) -> int:
    return FP32.mantissa_bits if op.alignment_bits is None else op.alignment_bits


def _has_both(op: MatrixInstruction, special: str) -> bool:
    return all(getattr(fmt, special) not in (None, False) for fmt in (op.a, op.b))
