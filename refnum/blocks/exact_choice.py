"""The second derivation of a choice: one block, its candidates and their errors.

Sums, products and quotients in float32 are fractions, rounded once; those in float64
are Python's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeVar

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.choice import ChosenFormat
from refnum.blocks.exact import dequantize_block, largest_of, quantize_block
from refnum.blocks.exact_orders import Single, reference, round_float32, single
from refnum.blocks.measures import Measure
from refnum.formats.exact import decode

__all__ = ["choose_block"]

_Number = TypeVar("_Number", float, Single)


def choose_block(
    values: Sequence[float],
    chosen_format: ChosenFormat,
    tensor_amax: float | None = None,
    random: Sequence[int] | None = None,
) -> tuple[list[int], int]:
    """Quantise the values of one block by the candidate of least error.

    Parameters
    ----------
    values : sequence of float
        The block, rounded to float32 first.
    chosen_format : ChosenFormat
        The candidates and the measure.
    tensor_amax : float, optional
        The largest magnitude under the tensor scale; by default the block's own.
    random : sequence of int, optional
        The random bits of each element.

    Returns
    -------
    codes : list of int
        Element codes.
    scale : int
        The scale code, with its flag.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.blocks.exact_choice import choose_block
    >>> choose_block([3.0, 4.0], rn.blocks.NVFP4_FOUR_OVER_SIX)
    ([5, 6], 124)
    """
    x = [single(value) for value in values]
    amax = largest_of(x) if tensor_amax is None else single(tensor_amax)
    best: tuple[float, list[int], int] | None = None
    for candidate in chosen_format.candidates:
        flagged = candidate.alternate is not None
        codes, scale = quantize_block(
            values, candidate, amax.value, random, alternate=flagged
        )
        error = _error(x, codes, scale, candidate, amax, chosen_format.measure)
        if best is None or error < best[0]:
            best = error, codes, scale
    assert best is not None
    return best[1], best[2]


def _error(
    x: Sequence[Single],
    codes: list[int],
    scale: int,
    fmt: BlockFormat,
    amax: Single,
    measure: Measure,
) -> float:
    if measure.order == "float64":
        given = None if fmt.tensor_scale is None else amax.value
        values = dequantize_block(codes, scale, fmt, given)
        gaps = [v - one.value for v, one in zip(values, x, strict=True)]
        sizes = [_size(gap, measure.error) for gap in gaps]
        return _fold(sizes, fmt, _larger if measure.error == "amax" else _sum)
    bare = scale % 2**fmt.scale.bits
    element = fmt.element if fmt.alternate is None else fmt.alternate
    q = [Single(float(decode(code, element))) for code in codes]
    s = Single(float(decode(bare, fmt.scale)))
    assert fmt.tensor_scale is not None
    limit, unit = fmt.tensor_scale.limit, fmt.rule.unit_of(fmt.element)
    if measure.order == "quartet_ii":
        outer = reference(fmt.rule.arithmetic.name, amax, limit, unit)
        return _quartet_ii(q, s * outer, x)
    top = single(limit * unit)
    factor = Single(1.0) if fmt.alternate is None else single(fmt.alternate_factor)
    singles = [
        _size_single(one * s * amax * factor / top - v, measure.error)
        for one, v in zip(q, x, strict=True)
    ]
    larger = measure.error == "amax"
    return _fold(singles, fmt, _larger_single if larger else _sum).value


def _size(gap: float, error: str) -> float:
    return gap * gap if error == "mse" else abs(gap)


def _size_single(gap: Single, error: str) -> Single:
    return gap * gap if error == "mse" else Single(abs(gap.value))


def _sum(a: _Number, b: _Number) -> _Number:
    return a + b


def _larger(a: float, b: float) -> float:
    return a if math.isnan(a) or a >= b else b


def _larger_single(a: Single, b: Single) -> Single:
    return Single(_larger(a.value, b.value))


def _fold(
    terms: Sequence[_Number],
    fmt: BlockFormat,
    combine: Callable[[_Number, _Number], _Number],
) -> _Number:
    """Combine rows from the left, then the second half of the rows into the first."""
    rows = fmt.block[0] if isinstance(fmt.block, tuple) else 1
    width = len(terms) // rows
    totals = []
    for start in range(0, len(terms), width):
        total = terms[start]
        for term in terms[start + 1 : start + width]:
            total = combine(total, term)
        totals.append(total)
    while len(totals) > 1:
        half = (len(totals) + 1) // 2
        first, second = totals[:half], totals[half:]
        pairs = zip(first, second, strict=False)
        totals = [combine(a, b) for a, b in pairs] + first[len(second) :]
    return totals[0]


def _quartet_ii(q: Sequence[Single], scale: Single, x: Sequence[Single]) -> float:
    gaps = [_fma(one.value, -scale.value, v.value) for one, v in zip(q, x, strict=True)]
    halves = []
    for half in (gaps[:8], gaps[8:]):
        even = odd = 0.0
        for i in range(0, 8, 2):
            even = _fma(half[i], half[i], even)
            odd = _fma(half[i + 1], half[i + 1], odd)
        halves.append(Single(even) + Single(odd))
    return (halves[0] + halves[1]).value


def _fma(a: float, b: float, c: float) -> float:
    if not all(map(math.isfinite, (a, b, c))):
        return a * b + c
    return round_float32(Fraction(a) * Fraction(b) + Fraction(c))
