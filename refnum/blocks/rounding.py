"""Scaled values rounded to elements by one sum and one difference.

The spacing of a format's values around x is that of x's binade, and no finer than that
of the subnormals. A float32 of which the last place is that spacing pushes out, when x
is added, all of x that lies below; taken away again it leaves x rounded to nearest
even. The exponent bits of x, times a constant, are such a float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers
from refnum.formats import Cast, Format, Saturation

__all__ = ["Grid", "RoundingSpace", "grid_of", "round_scaled"]

Singles = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]

_SIGN, _EXPONENT = np.uint32(0x80000000), np.uint32(0x7F800000)
_MAGNITUDE = ~_SIGN
_BUFFERS = Buffers()


@dataclass(frozen=True)
class Grid:
    """The values of a format, for rounding to nearest even.

    Parameters
    ----------
    smallest : float
        The smallest normal value: spacings are the same below.
    mantissa_bits : int
        Fraction bits of a value.
    largest : float
        The largest value, which greater ones become.
    limit : float
        Magnitudes are below it.
    """

    smallest: float
    mantissa_bits: int
    largest: float
    limit: float


@lru_cache(maxsize=64)
def grid_of(fmt: Format, cast: Cast) -> Grid | None:
    """Return the grid of a conversion, None if it is another kind.

    The format has a sign bit, a zero and fraction bits. The cast rounds to nearest even
    and saturates; what it does to NaN and infinity is not asked.
    """
    plain, given = Cast().resolve(fmt), cast.resolve(fmt)
    settled = replace(
        given,
        nan=plain.nan,
        nan_sign=plain.nan_sign,
        missing_nan=plain.missing_nan,
        saturation=Saturation.FINITE,
    )
    if given.saturation is Saturation.NONE or settled != plain:
        return None
    floating = fmt.signed and fmt.zero and not fmt.twos_complement
    if not floating or not fmt.mantissa_bits or fmt.bits > 8:
        return None
    spacing = fmt.smallest_subnormal
    return Grid(
        spacing * 2.0**fmt.mantissa_bits,
        fmt.mantissa_bits,
        fmt.max,
        2.0 ** (fmt.emax + 20),
    )


class RoundingSpace:
    """Buffers for up to `size` elements; a thread has one space at a time.

    Constants are arrays, as scalars are slower.
    """

    def __init__(self, size: int, grid: Grid) -> None:
        names = "powers", "signs", "smallest", "largest"
        arrays = (_BUFFERS.take(name, (size,), np.uint32) for name in names)
        self.powers, self.signs, self.smallest, self.largest = arrays
        self.smallest.fill(_bits(grid.smallest))
        self.largest.fill(_bits(grid.largest))


def round_scaled(
    y: Singles, grid: Grid, space: RoundingSpace, saturates: bool, out: Singles
) -> None:
    """Write the nearest elements of a contiguous vector below the limit to `out`.

    Parameters
    ----------
    saturates : bool
        Whether values may lie beyond the largest element.
    """
    size, bits, rounded = y.size, y.view(np.uint32), out.view(np.uint32)
    powers, signs = space.powers[:size], space.signs[:size]
    np.bitwise_and(bits, _EXPONENT, out=powers)
    np.maximum(powers, space.smallest[:size], out=powers)
    addends = powers.view(np.float32)
    addends *= np.float32(1.5 * 2.0 ** (23 - grid.mantissa_bits))
    np.bitwise_and(bits, _SIGN, out=signs)
    np.add(y, addends, out=out)
    np.subtract(out, addends, out=out)
    if saturates:
        np.bitwise_and(rounded, _MAGNITUDE, out=rounded)
        np.minimum(rounded, space.largest[:size], out=rounded)
    np.bitwise_or(rounded, signs, out=rounded)  # of zeros too


def _bits(x: float) -> int:
    return int(np.float32(x).view(np.uint32))
