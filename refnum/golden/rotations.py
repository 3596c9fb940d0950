"""Golden folders of Hadamard rotations and of scale layouts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from refnum.blocks import (
    hadamard,
    hadamard_signs,
    random_signs,
    swizzle_scales,
    swizzled_offset,
)
from refnum.formats import BF16, FP32, Cast, Format, decode, exact
from refnum.golden.bundle import Bundle, Tensor
from refnum.golden.record import Disagreement
from refnum.golden.tensors import random_values

__all__ = ["hadamard_bundle", "hadamard_cases", "layout_bundle", "layout_cases"]

_SIZES = (2, 16, 32, 128)
_PRECISION = 256  # bits of a square root: far more than decides any rounding
_SHAPES = {
    "one-tile": (128, 4),
    "ragged": (130, 5),
    "narrow": (40, 9),
    "batch": (2, 7, 3),
}
_TILES = {"128x4": (128, 4), "8x4": (8, 4)}

Key = tuple[int, int]


def hadamard_cases() -> Iterator[tuple[str, int, str]]:
    """Return the path, the size and the signs' name of every rotation."""
    for size in _SIZES:
        yield f"hadamard/{size}.plain", size, "none"
        yield f"hadamard/{size}.random-signs", size, "random"
    yield "hadamard/16.transformer-engine", 16, "transformer_engine"


def hadamard_bundle(size: int, name: str, key: Key) -> Bundle:
    """Return a rotated array in float32 and rounded to bfloat16."""
    x = random_values((4, 2 * size), key)
    signs = _signs(size, name, key)
    y = hadamard(x, size, signs=signs)
    z = hadamard(x, size, signs=signs, output=BF16)
    _agree(x, size, signs, y, FP32)
    _agree(x, size, signs, z, BF16)
    tensors = (
        Tensor("x", "in", x),
        Tensor("signs", "in", np.asarray(signs, np.int8)),
        Tensor("y", "out", y),
        Tensor("y_bf16", "out", z.astype(np.float32)),
    )
    spec = {"size": size, "signs": name, "order": "signs_first", "arithmetic": "exact"}
    return Bundle("hadamard", spec, tensors)


def layout_cases() -> Iterator[tuple[str, tuple[int, ...], tuple[int, int]]]:
    """Return the path, the shape of the scales and the tile of every layout."""
    for tile_name, tile in _TILES.items():
        for name, shape in _SHAPES.items():
            yield f"layout/{tile_name}.{name}", shape, tile


def layout_bundle(shape: tuple[int, ...], tile: tuple[int, int]) -> Bundle:
    """Return scale codes and their swizzled form; padding is zero."""
    size = int(np.prod(shape))
    scales = (np.arange(size) % 255 + 1).astype(np.uint8).reshape(shape)
    data = swizzle_scales(scales, tile=tile)
    matrices = scales.reshape(-1, *shape[-2:])
    slow = np.zeros((len(matrices), data.size // len(matrices)), np.uint8)
    for matrix, place in zip(matrices, slow, strict=True):
        for (row, column), code in np.ndenumerate(matrix):
            place[swizzled_offset(row, column, shape[-1], tile=tile)] = code
    if not np.array_equal(slow.reshape(-1), data.reshape(-1)):
        raise Disagreement(f"layout {tile} of {shape}: the formula and the fast form")
    tensors = Tensor("scales", "in", scales), Tensor("data", "out", data)
    return Bundle("swizzle_scales", {"tile": list(tile)}, tensors)


def _signs(size: int, name: str, key: Key) -> npt.NDArray[np.int8]:
    if name == "none":
        return np.ones(size, np.int8)
    if name == "random":
        return np.asarray(random_signs(size, key[1]), np.int8)
    return np.asarray(hadamard_signs(name), np.int8)


def _agree(
    x: npt.NDArray[np.float32],
    size: int,
    signs: npt.NDArray[np.int8],
    y: npt.NDArray[np.floating],
    output: Format,
) -> None:
    """Raise unless each result is the correctly rounded sum of its definition."""
    flipped = (x.reshape(-1, size) * signs).tolist()
    for run, found in zip(flipped, y.reshape(-1, size).tolist(), strict=True):
        for column, value in enumerate(found):
            terms = (v * (-1) ** (r & column).bit_count() for r, v in enumerate(run))
            total = sum(map(Fraction, terms), Fraction(0))
            code = exact.encode(_over_root(total, size), output, Cast())
            if float(decode([code], output)[0]) != value:
                raise Disagreement(f"hadamard {size}, column {column}: {value!r}")


def _over_root(total: Fraction, size: int) -> Fraction:
    """Return total / sqrt(size), to so many bits that it rounds as the true value."""
    square = total * total / size
    scaled = (square.numerator << 2 * _PRECISION) // square.denominator
    root = Fraction(math.isqrt(scaled), 1 << _PRECISION)
    return -root if total < 0 else root
