"""The second derivation of a linear layer under a recipe: plain loops over numbers.

Products are exact: every float64 product of two float32 is, `math.fsum` rounds their
sum once, and where that might round twice a fraction decides.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field, replace
from fractions import Fraction

from refnum.blocks.exact_orders import round_float32
from refnum.formats.exact import decode, encode
from refnum.golden.exact_operand import (
    Lines,
    Place,
    Result,
    make_operand,
    rotate_line,
    signs_for,
)
from refnum.golden.exact_steps import clamp, fall_back, slope_at
from refnum.golden.quick_blocks import to_float32
from refnum.recipes import GEMMS, ROLES, Gemm, Operand, Recipe

__all__ = ["ExactLinear", "exact_linear"]

_HALF = 1 << 28  # the bits of a float64 below a float32's last, at a midpoint


@dataclass
class ExactLinear:
    """A layer's results, and its operands by role."""

    results: dict[str, Lines] = field(default_factory=dict)
    operands: dict[str, Result] = field(default_factory=dict)


def exact_linear(
    x: Lines, w: Lines, dy: Lines, recipe: Recipe, place: Place
) -> ExactLinear:
    """Return Y, dX and dW of a layer.

    Parameters
    ----------
    x, w, dy : list of list of float
        Rows of X (M, K), W (N, K) and dY (M, N).
    recipe : Recipe
        With operands of its own format, or the forward pass's; no slopes, outliers or
        fallbacks.
    place : Place
        What random words depend on.
    """
    arrays = {"x": x, "w": w, "dy": dy}
    made = ExactLinear()
    for gemm, roles in GEMMS.items():
        lines = [_operand(role, arrays, recipe, place, made) for role in roles]
        result = _product(lines[0], lines[1], recipe.gemms[gemm])
        if gemm == "fprop" and "fprop_x" in made.operands:
            result = _add_residual(result, made.operands["fprop_x"].residual, lines[1])
        result = _times_slope(gemm, result, recipe, made)
        made.results[gemm] = _rotate_back(gemm, result, recipe, place)
    return made


def _operand(
    role: str, arrays: dict[str, Lines], recipe: Recipe, place: Place, made: ExactLinear
) -> Lines:
    """Return the lines of an operand along the axis that its product reduces."""
    facts, operand = ROLES[role], recipe.operands[role]
    across = facts.axis == 0
    rows = arrays[facts.tensor]
    forward = {"w": "fprop_w", "x": "fprop_x"}.get(facts.tensor)
    if operand is not None and operand.source != "original":
        assert forward is not None
        if forward in made.operands:
            rows = made.operands[forward].values
        if operand.source == "codes":
            return _turn(rows) if across else rows
    lines = _turn(rows) if across else rows
    if operand is None:
        return lines
    if operand.rotation is not None:
        signs = signs_for(operand.rotation, place, facts.gemm)
        lines = [rotate_line(line, operand.rotation, signs) for line in lines]
    if operand.format is not None:
        rest: Lines = []
        if operand.outliers is not None:
            lines, rest = clamp(lines, operand.outliers)
        result = make_operand(lines, operand, place, role, across=across)
        if operand.fallback is not None:
            values = fall_back(lines, result.values, operand.fallback)
            result = replace(result, values=values)
        made.operands[role] = replace(result, source=lines, residual=rest)
        lines = result.values
    return lines


def _product(a: Lines, b: Lines, product: Gemm) -> Lines:
    """Return the sums over two lines each, and what the product does to them."""
    found = []
    for one in a:
        row = []
        for other in b:
            y = _dot(one, other)
            if product.correction != 1:
                factor = round_float32(Fraction(product.correction))
                y = round_float32(Fraction(y) * Fraction(factor))
            if product.output is not None:
                y = float(decode(encode(y, product.output), product.output))
            row.append(y)
        found.append(row)
    return found


def _dot(a: list[float], b: list[float]) -> float:
    """Return the exact sum of products, rounded once to float32."""
    terms = [p * q for p, q in zip(a, b, strict=True)]
    total = math.fsum(terms)
    (bits,) = struct.unpack("<q", struct.pack("<d", total))
    tiny = abs(total) < 2.0**-100
    if bits & (2 * _HALF - 1) == _HALF or tiny:
        return round_float32(sum(map(Fraction, terms), Fraction(0)))
    return float(struct.unpack("<f", struct.pack("<f", total))[0])


def _add_residual(rows: Lines, residual: Lines, other: Lines) -> Lines:
    """Add the product of what clamping cut off."""
    if not residual:
        return rows
    return [
        [to_float32(y + _dot(rest, one)) for y, one in zip(row, other, strict=True)]
        for row, rest in zip(rows, residual, strict=True)
    ]


def _times_slope(gemm: str, rows: Lines, recipe: Recipe, made: ExactLinear) -> Lines:
    """Multiply a gradient by the slope of the forward rounding."""
    role = {"dgrad": "fprop_x", "wgrad": "fprop_w"}.get(gemm)
    operand = None if role is None else recipe.operands[role]
    if role is None or operand is None or operand.slope.kind == "ste":
        return rows
    found = made.operands[role]
    return [
        [
            to_float32(g * slope_at(to_float32(v / s), operand))
            for g, v, s in zip(row, source, steps, strict=True)
        ]
        for row, source, steps in zip(rows, found.source, found.steps, strict=True)
    ]


def _rotate_back(gemm: str, rows: Lines, recipe: Recipe, place: Place) -> Lines:
    """Undo the forward rotation of a gradient that lies in its coordinates."""
    role = {"dgrad": "dgrad_w", "wgrad": "wgrad_x"}.get(gemm)
    operand = None if role is None else recipe.operands[role]
    forward: Operand | None = recipe.fprop_x
    if operand is None or operand.source == "original":
        return rows
    if forward is None or forward.rotation is None:
        return rows
    signs = signs_for(forward.rotation, place, "fprop")
    return [rotate_line(row, forward.rotation, signs, back=True) for row in rows]


def _turn(rows: Lines) -> Lines:
    return [list(column) for column in zip(*rows, strict=True)]
