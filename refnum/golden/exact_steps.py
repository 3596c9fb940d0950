"""Second derivations of what recipes do beside quantising: slopes, outliers, fallback."""

from __future__ import annotations

import math

from refnum.blocks import BlockFormat
from refnum.formats import Cast
from refnum.formats.exact import decode, encode
from refnum.golden.quick_blocks import to_float32, value_of
from refnum.recipes import Fallback, Operand, Outliers

__all__ = ["clamp", "fall_back", "slope_at"]

Lines = list[list[float]]


def slope_at(x: float, operand: Operand) -> float:
    """Return the slope of the operand's relaxation at a scaled value.

    It knows the mask of what is not clipped, and Wang's estimator with its defaults.

    Raises
    ------
    ValueError
        If the operand has another one.
    """
    fmt, slope = operand.format, operand.slope
    assert isinstance(fmt, BlockFormat)
    options = dict(slope.options)
    if slope.kind == "clip":
        top = fmt.element.max
        inside = abs(x) <= top if options.get("inclusive", True) else abs(x) < top
        return float(inside)
    if slope.kind != "dge" or options:
        raise ValueError(f"no second derivation of {slope}")
    codes = range(1 << fmt.element.bits)
    levels = sorted({value_of(code, fmt.element) + 0.0 for code in codes})
    if x > levels[-1]:
        return 0.0
    below = [k for k, level in enumerate(levels[:-1]) if level <= x]
    low = below[-1] if below else 0
    away = 2 * to_float32(x - levels[low]) / (levels[low + 1] - levels[low])
    u = to_float32(away - 1)
    if u == 0:
        return 3.0
    # Each function and each product is rounded to float32.
    power = to_float32(to_float32(math.log(abs(u))) * to_float32(1 / 5 - 1))
    return min(to_float32(to_float32(math.exp(power)) / 5), 3.0)


def clamp(lines: Lines, outliers: Outliers) -> tuple[Lines, Lines]:
    """Return lines clamped to the quantiles of all values, and what was cut off."""
    if outliers.span != "tensor" or not outliers.compensated:
        raise ValueError(f"no second derivation of outliers over a {outliers.span}")
    ordered = sorted(v for line in lines for v in line)
    low = ordered[int((1 - outliers.share) * len(ordered))]
    high = ordered[min(int(outliers.share * len(ordered)), len(ordered) - 1)]
    clamped = [[min(max(v, low), high) for v in line] for line in lines]
    rest = [
        [to_float32(v - c) for v, c in zip(line, kept, strict=True)]
        for line, kept in zip(lines, clamped, strict=True)
    ]
    return clamped, rest


def fall_back(lines: Lines, values: Lines, fallback: Fallback) -> Lines:
    """Return the values, or those of the wider format if the mean error is too large."""
    if fallback.block is not None:
        raise ValueError("no second derivation of a fallback of blocks")
    errors = [
        to_float32(abs(to_float32(after - before)) / abs(before)) if before else 0.0
        for line, kept in zip(lines, values, strict=True)
        for before, after in zip(line, kept, strict=True)
    ]
    count = sum(v != 0 for line in lines for v in line)
    mean = math.fsum(errors) / max(count, 1)
    if abs(mean - fallback.threshold) < 1e-4 * fallback.threshold:
        raise ValueError(f"the mean error {mean} is too near the threshold to judge")
    if mean < fallback.threshold:
        return values
    wide = fallback.format
    return [
        [float(decode(encode(v, wide, Cast()), wide)) for v in line] for line in lines
    ]
