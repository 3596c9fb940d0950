"""Golden files of scale rules: a block's largest magnitude to its scale code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from refnum.blocks import (
    CEIL,
    DEEPGEMM,
    EVEN,
    FLOOR,
    NEAREST,
    RCEIL,
    RCEIL_DIVIDE,
    UOS,
    BlockFormat,
    exact,
    quantize,
)
from refnum.formats import E2M1, E4M3, UE8M0
from refnum.golden.record import Case, Column, Disagreement, GoldenFile

__all__ = ["scale_file", "scale_formats"]

_RULES = (FLOOR, CEIL, EVEN, NEAREST, RCEIL, RCEIL_DIVIDE, UOS, DEEPGEMM)
_EXPONENTS = (
    -149,
    -148,
    -140,
    -128,
    -127,
    -126,
    -125,
    -124,
    -10,
    -1,
    0,
    1,
    9,
    125,
    127,
)
_LARGEST = 0x7F7FFFFF
_SPECIALS = (
    (0, "zero"),
    (1, "the smallest subnormal"),
    (0x7FFFFF, "the largest subnormal"),
    (_LARGEST, "the largest finite"),
    (0x7F800000, "infinity"),
    (0x7FC00000, "NaN"),
)


def scale_formats() -> Iterator[tuple[str, BlockFormat]]:
    """Return the path and the block format of every file."""
    for name, element in (("mxfp4", E2M1), ("mxfp8_e4m3", E4M3)):
        for rule in _RULES:
            fmt = BlockFormat(element, UE8M0, 32, rule, name=f"{name}.{rule.name}")
            yield f"scale/{fmt.name}.hex", fmt


def scale_file(fmt: BlockFormat) -> GoldenFile:
    """Return the scale codes of magnitudes at which rules differ."""
    inputs = _inputs(fmt)
    patterns = np.array([pattern for pattern, _ in inputs], np.uint32)
    magnitudes = patterns.view(np.float32)
    fast = quantize(magnitudes[:, None], fmt).scales[:, 0].tolist()
    cases = []
    for (pattern, reason), a, code in zip(
        inputs, magnitudes.tolist(), fast, strict=True
    ):
        _, slow = exact.quantize_block([a], fmt)
        if slow != code:
            raise Disagreement(f"{fmt} of {a!r}: {code:#x} and {slow:#x}")
        cases.append(Case((pattern, code), reason))
    columns = Column("amax", 32), Column.of("code", fmt.scale.bits)
    facts = {"op": "scale", "in": "f32", "out": fmt.scale.name, "rule": fmt.name}
    return GoldenFile(facts, columns, tuple(cases))


def _inputs(fmt: BlockFormat) -> list[tuple[int, str]]:
    """Return bit patterns and reasons, without repetitions, in increasing order."""
    found = dict(_SPECIALS)
    top = fmt.element.max / 2.0**fmt.element.emax  # significand of the largest element
    marks = {
        1.0: "2**{}",
        top: "the element's largest value times 2**{}",
        2 - 0.5 ** (fmt.element.mantissa_bits + 1): "rounds up, times 2**{}",
        7.25 / 4: "7.25 times 2**{}",
    }
    for significand, text in marks.items():
        for exponent in _EXPONENTS:
            with np.errstate(over="ignore", under="ignore"):
                value = np.float32(significand * 2.0**exponent)
            if not np.isfinite(value) or value == 0:
                continue
            middle = int(value.view(np.uint32))
            for step in range(-2, 3):
                pattern = middle + step
                if 0 < pattern <= _LARGEST:
                    reason = text.format(exponent)
                    offset = f"{step:+d} ulp of " if step else ""
                    found.setdefault(pattern, offset + reason)
    return sorted(found.items())
