"""Which arrays are worth quantising, and why: the inputs of the block cases.

Each case is named by what it catches. Arrays are small, so that a person can follow
them: a few rows, a few blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from refnum.blocks import BlockFormat
from refnum.golden.philox import random_words

__all__ = ["CASES", "TensorCase", "random_values"]

Singles = npt.NDArray[np.float32]
Key = tuple[int, int]

_FLT_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class TensorCase:
    """An array to quantise: what it catches, its values, the blocked axis."""

    catches: str
    make: Callable[[BlockFormat, Key], Singles]
    axis: int = -1


def random_values(shape: tuple[int, ...], key: Key) -> Singles:
    """Return values of both signs with exponents -3 to 4, from Philox words."""
    size = int(np.prod(shape))
    words = random_words(-(-size // 4), key).reshape(-1)[:size]
    exponent = np.uint32(124) + (words >> np.uint32(23) & np.uint32(7))
    bits = (words & np.uint32(0x807FFFFF)) | exponent << np.uint32(23)
    return bits.view(np.float32).reshape(shape)


def _plain(fmt: BlockFormat, key: Key) -> Singles:
    return random_values((4, 64), key)


def _outlier_row(fmt: BlockFormat, key: Key) -> Singles:
    x = _plain(fmt, key)
    x[1] *= np.float32(1000)
    return x


def _zero_block(fmt: BlockFormat, key: Key) -> Singles:
    x = _plain(fmt, key)
    x[0, :32], x[2] = 0, 0
    return x


def _negative_zeros(fmt: BlockFormat, key: Key) -> Singles:
    x = _plain(fmt, key)
    x[0] = -0.0
    x[1, ::2] = -0.0
    x[2, ::2] *= np.float32(-(2.0**-30))  # negatives that round to zero
    return x


def _subnormal_block(fmt: BlockFormat, key: Key) -> Singles:
    x = _plain(fmt, key)
    x[0] *= np.float32(2.0**-130)
    x[1, :32] = np.arange(32, dtype=np.uint32).view(np.float32)
    return x


def _scale_underflow(fmt: BlockFormat, key: Key) -> Singles:
    x = _plain(fmt, key)
    for row, exponent in enumerate((0, -12, -17, -24)):
        x[row] *= np.float32(2.0**exponent)
    return x


def _scale_overflow(fmt: BlockFormat, key: Key) -> Singles:
    x = _plain(fmt, key) * np.float32(2.0**122)
    x[0, 0], x[1, 40] = _FLT_MAX, -_FLT_MAX
    return x


def _nan_inside(fmt: BlockFormat, key: Key) -> Singles:
    x = _plain(fmt, key)
    x[0, 3], x[2, 50] = np.nan, -np.nan
    return x


def _infinity_inside(fmt: BlockFormat, key: Key) -> Singles:
    x = _plain(fmt, key)
    x[1, 7], x[3, 60] = np.inf, -np.inf
    return x


def _tie_rich(fmt: BlockFormat, key: Key) -> Singles:
    """Return midpoints of the element format under scales of powers of two."""
    codes = np.sort(np.abs(fmt.element.values[np.isfinite(fmt.element.values)]))
    values = np.unique(codes)[-9:]
    middle = (values[:-1] + values[1:]) / 2
    x = np.resize(np.concatenate([middle, -middle]), (4, 64)).astype(np.float32)
    x[:, ::16] = values[-1]  # every block has the largest value
    for row, exponent in enumerate((0, 3, -5, 1)):
        x[row] *= np.float32(2.0**exponent)
    return x


def _saturating(fmt: BlockFormat, key: Key) -> Singles:
    """Return block maxima with all-ones significands: the floor rule saturates."""
    x = _plain(fmt, key)
    x[:, 5::16] = np.nextafter(np.float32(2.0**5), np.float32(0))
    return x


def _ragged_tail(fmt: BlockFormat, key: Key) -> Singles:
    return random_values((5, 41), key)


def _transposed(fmt: BlockFormat, key: Key) -> Singles:
    return random_values((64, 5), key)


CASES = {
    "plain": TensorCase("anything at all", _plain),
    "outlier-row": TensorCase("a tensor scale set by one row", _outlier_row),
    "zero-block": TensorCase("a block of zeros; division by its scale", _zero_block),
    "negative-zeros": TensorCase("the sign of zero", _negative_zeros),
    "subnormal-block": TensorCase("float32 subnormals flushed", _subnormal_block),
    "scale-underflow": TensorCase("scales below the smallest", _scale_underflow),
    "scale-overflow": TensorCase("magnitudes near the end of float32", _scale_overflow),
    "nan-inside": TensorCase("a NaN ignored by the maximum", _nan_inside),
    "infinity-inside": TensorCase("an infinite magnitude", _infinity_inside),
    "tie-rich": TensorCase("ties after scaling", _tie_rich),
    "saturating": TensorCase("values above the largest after scaling", _saturating),
    "ragged-tail": TensorCase("blocks that run on into the next row", _ragged_tail),
    "transposed": TensorCase("blocks along the wrong axis", _transposed, axis=0),
}
