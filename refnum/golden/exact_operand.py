"""The second derivation of one operand: line by line, block by block.

Nothing here is shared with `refnum.nn` but the records of the recipe: words are drawn
by Philox's definition, rotations are exact sums, blocks come from `quick_blocks` and
the fractions of `refnum.blocks.exact`. A *line* is what lies along the reduced axis of
the operand.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from refnum.blocks import BlockFormat, ChosenFormat, hadamard_signs
from refnum.blocks.exact import dequantize_block
from refnum.blocks.exact_choice import choose_block
from refnum.blocks.exact_orders import Single, single
from refnum.formats import FP32, Format
from refnum.formats.exact import decode, encode
from refnum.golden.quick_blocks import quick_block, quick_code, to_float32, value_of
from refnum.random import philox4x32_definition
from refnum.recipes import Operand, Rotation

__all__ = ["Lines", "Place", "Result", "make_operand", "rotate_line", "signs_for"]

Lines = list[list[float]]

_PRECISION = 256  # bits of a square root: far more than decides any rounding
_EDEN_BITS = 24


@dataclass(frozen=True)
class Place:
    """What random words depend on: the seed, the step and the layer's name."""

    seed: int
    step: int
    layer: str

    def words(self, use: str, count: int, *, once: bool = False) -> list[int]:
        """Return the first words of one use."""
        text = self.seed.to_bytes(8, "little") + f"{self.layer}.{use}".encode()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        key = (
            int.from_bytes(digest[:4], "little"),
            int.from_bytes(digest[4:], "little"),
        )
        step = 0 if once else self.step
        words: list[int] = []
        for block in range(-(-count // 4)):
            counter = block, 0, step % 2**32, step // 2**32
            words += philox4x32_definition(counter, key)
        return words[:count]


@dataclass(frozen=True)
class Result:
    """An operand along its lines, and the scale code of each block.

    Parameters
    ----------
    values, codes : list of list
        Of each element.
    scales : list of int
        Of each block, line after line.
    steps : list of list of float
        What the code of 1 stands for, where slopes need it.
    source, residual : list of list of float
        What was quantised, and what clamping cut off from it.
    """

    values: Lines
    codes: list[list[int]]
    scales: list[int]
    steps: Lines = field(default_factory=list)
    source: Lines = field(default_factory=list)
    residual: Lines = field(default_factory=list)


def make_operand(
    lines: Lines, operand: Operand, place: Place, role: str, *, across: bool
) -> Result:
    """Return the operand made from lines that are rotated already.

    Parameters
    ----------
    lines : list of list of float
        The lines, each along the reduced axis.
    operand : Operand
        What the recipe says.
    place : Place
        What random words depend on.
    role : str
        Its name, for the words.
    across : bool
        Whether lines are columns of the array; words count along its rows.
    """
    fmt = operand.format
    draws = _draws(lines, operand, place, role, across)
    if isinstance(fmt, Format):
        cast = operand.element_cast
        codes = [
            [encode(v, fmt, cast, r) for v, r in zip(line, drawn, strict=True)]
            for line, drawn in zip(lines, draws, strict=True)
        ]
        values = [[value_of(code, fmt) for code in line] for line in codes]
        return Result(values, codes, [])
    if operand.eden:
        return _eden(lines, operand, place, role, across)
    made = operand.block_format
    assert isinstance(made, BlockFormat | ChosenFormat)
    stored = made.stored
    if operand.prescale != 1 and isinstance(fmt, BlockFormat):
        stored = fmt
    height, width = _tile(stored, lines)
    codes = [[0] * len(line) for line in lines]
    values = [[0.0] * len(line) for line in lines]
    steps = [[0.0] * len(line) for line in lines]
    scales = []
    for top in range(0, len(lines), height):
        for left in range(0, len(lines[0]), width):
            cells = [
                (i, j)
                for i in range(top, min(top + height, len(lines)))
                for j in range(left, min(left + width, len(lines[i])))
            ]
            amax = _outer_amax(lines, stored, top, left)
            block = [lines[i][j] for i, j in cells]
            random = [draws[i][j] for i, j in cells]
            if isinstance(made, ChosenFormat):
                found, scale = choose_block(block, made, amax, random)
                back, step = dequantize_block(found, scale, stored, amax), math.nan
            else:
                found, scale, back, step = quick_block(
                    block, made, stored, amax, random
                )
            for (i, j), code, value in zip(cells, found, back, strict=True):
                codes[i][j], values[i][j], steps[i][j] = code, value, step
            scales.append(scale)
    return Result(values, codes, scales, steps)


def signs_for(rotation: Rotation, place: Place, gemm: str) -> list[int]:
    """Return the signs of a rotation."""
    if rotation.signs == "none":
        return [1] * rotation.size
    if rotation.signs == "transformer_engine":
        return [int(sign) for sign in hadamard_signs()]
    once = rotation.signs == "fixed"
    words = place.words(f"{gemm}.signs", -(-rotation.size // 32), once=once)
    bits = [words[i // 32] >> (i % 32) & 1 for i in range(rotation.size)]
    return [-1 if bit else 1 for bit in bits]


def rotate_line(
    line: list[float], rotation: Rotation, signs: list[int], *, back: bool = False
) -> list[float]:
    """Return the rotation of a line, each result the exact sum rounded once."""
    size = rotation.size
    first = (rotation.order == "signs_first") != back
    target = FP32 if back or rotation.output is None else rotation.output
    turned: list[float] = []
    for start in range(0, len(line), size):
        run = line[start : start + size]
        if first:
            run = [v * sign for v, sign in zip(run, signs, strict=True)]
        for column in range(size):
            terms = [
                v if s else -v for v, s in zip(run, _plus(size, column), strict=True)
            ]
            value = _rounded(terms, size, target)
            turned.append((value if first else value * signs[column]) + 0.0)
    return turned


@lru_cache(maxsize=1 << 12)
def _plus(size: int, column: int) -> tuple[bool, ...]:
    """Return where a column of the Sylvester matrix is positive."""
    return tuple((row & column).bit_count() % 2 == 0 for row in range(size))


def _rounded(terms: list[float], size: int, target: Format) -> float:
    """Return the sum over sqrt(size), rounded once.

    The float64 quotient is off by less than 2^-51 of itself. Where that might matter,
    and in the range of subnormals, fractions decide.
    """
    near = math.fsum(terms) / math.sqrt(size)
    spacing = 2.0 ** (math.frexp(near)[1] - 1 - target.mantissa_bits)
    fraction = abs(near) / spacing % 1.0
    sure = abs(fraction - 0.5) > 1e-5 and abs(near) > 2.0**-100
    if sure and target.exponent_bits == 8:
        return math.copysign(round(abs(near) / spacing) * spacing, near)
    total = sum(map(Fraction, terms), Fraction(0))
    code = encode(_over_root(total, size), target)
    return float(decode(code, target))


def _draws(
    lines: Lines, operand: Operand, place: Place, role: str, across: bool
) -> list[list[int]]:
    """Return each element's random bits, 0 where rounding draws none."""
    count, length = len(lines), len(lines[0])
    if not operand.is_stochastic:
        return [[0] * length for _ in lines]
    bits = operand.element_cast.random_bits
    assert bits is not None
    width, height = (count, length) if across else (length, count)
    flat = _cut(place, role, width * height, bits)
    rows = [flat[i * width : (i + 1) * width] for i in range(height)]
    return [list(column) for column in zip(*rows, strict=True)] if across else rows


def _cut(place: Place, role: str, count: int, bits: int) -> list[int]:
    """Return numbers of so many bits, cut from words from their low end."""
    size = 8 if bits <= 8 else 16 if bits <= 16 else 32
    each = 32 // size
    words = place.words(role, -(-count // each))
    return [
        words[i // each] >> (size * (i % each)) & ((1 << bits) - 1)
        for i in range(count)
    ]


def _tile(fmt: BlockFormat, lines: Lines) -> tuple[int, int]:
    if isinstance(fmt.block, tuple):
        return fmt.block
    if isinstance(fmt.block, int):
        return 1, fmt.block
    return (1 if fmt.block == "row" else len(lines)), len(lines[0])


def _outer_amax(lines: Lines, fmt: BlockFormat, top: int, left: int) -> float | None:
    """Return the largest magnitude under the second scale of a block."""
    if fmt.tensor_scale is None:
        return None
    span = fmt.tensor_scale.span
    if span == "tensor":
        return max(abs(v) for line in lines for v in line)
    if span == "row":
        return max(abs(v) for v in lines[top])
    assert isinstance(span, int)
    start = left // span * span
    return max(abs(v) for v in lines[top][start : start + span])


def _over_root(total: Fraction, size: int) -> Fraction:
    """Return total / sqrt(size), to so many bits that it rounds as the true value."""
    square = total * total / size
    scaled = (square.numerator << 2 * _PRECISION) // square.denominator
    root = Fraction(math.isqrt(scaled), 1 << _PRECISION)
    return -root if total < 0 else root


def _eden(
    lines: Lines, operand: Operand, place: Place, role: str, across: bool
) -> Result:
    """Return NVFP4 by MS-EDEN: codes to nearest, scales corrected and drawn."""
    fmt, rotation = operand.format, operand.rotation
    assert isinstance(fmt, BlockFormat)
    assert isinstance(fmt.block, int)
    assert fmt.tensor_scale is not None
    assert rotation is not None
    unit, size = fmt.rule.unit_of(fmt.element), fmt.block
    amax = max(abs(v) for line in lines for v in line)
    s = single(amax) / single(fmt.tensor_scale.limit) / single(unit)
    s = s if amax else Single(1.0)
    per_line = -(-len(lines[0]) // size)
    width, height = (len(lines), per_line) if across else (per_line, len(lines))
    flat = _cut(place, role, width * height, _EDEN_BITS)
    codes, values, scales = [], [], []
    for number, line in enumerate(lines):
        found, y, first = _eden_codes(line, fmt, s, unit)
        corrections = _corrections(y, found, fmt, rotation.size)
        back = []
        for k, (scale, one) in enumerate(zip(first, corrections, strict=True)):
            place_of = k * width + number if across else number * width + k
            code = _drawn_code((scale * one).value, fmt.scale, flat[place_of])
            factor = value_of(code, fmt.scale)
            for c in found[k * size : (k + 1) * size]:
                scaled = to_float32(value_of(c, fmt.element) * factor)
                back.append(to_float32(scaled * s.value))
            scales.append(code)
        codes.append(found)
        values.append(back)
    return Result(values, codes, scales)


def _eden_codes(
    line: list[float], fmt: BlockFormat, s: Single, unit: float
) -> tuple[list[int], list[float], list[Single]]:
    size = fmt.block
    assert isinstance(size, int)
    codes: list[int] = []
    scaled: list[float] = []
    scales: list[Single] = []
    for start in range(0, len(line), size):
        block = line[start : start + size]
        ratio = single(max(map(abs, block))) / single(unit) / s
        stored = float(decode(encode(ratio.value, fmt.scale), fmt.scale)) or 1.0
        factor = Single(stored) * s
        y = [to_float32(v / factor.value) for v in block]
        codes += [quick_code(v, fmt.element, fmt.element_cast, 0) for v in y]
        scaled += y
        scales.append(Single(stored))
    return codes, scaled, scales


def _corrections(
    y: list[float], codes: list[int], fmt: BlockFormat, group: int
) -> list[Single]:
    """Return sum(y y) / sum(y q) of its group for each block."""
    size = fmt.block
    assert isinstance(size, int)
    found = []
    for start in range(0, len(y), group):
        squares = products = 0.0
        for block in range(start, min(start + group, len(y)), size):
            own_squares = own_products = 0.0
            for v, code in zip(
                y[block : block + size], codes[block : block + size], strict=True
            ):
                own_squares += v * v
                own_products += v * value_of(code, fmt.element)
            squares, products = squares + own_squares, products + own_products
        ratio = squares / products if products else 1.0
        found += [single(ratio)] * (group // size)
    return found[: -(-len(y) // size)]


def _drawn_code(x: float, fmt: Format, draw: int) -> int:
    """Return the scale code at or below x, or the next where fraction and draw carry."""
    code = max(c for c in range(1 << fmt.bits) if value_of(c, fmt) <= x)
    low, high = value_of(code, fmt), value_of(min(code + 1, (1 << fmt.bits) - 1), fmt)
    if high == low or not math.isfinite(high):
        return code
    fraction = (Fraction(x) - Fraction(low)) / (Fraction(high) - Fraction(low))
    return code + int(math.floor(fraction * 2**_EDEN_BITS) + draw >= 2**_EDEN_BITS)
