"""Values rounded to elements by one sum and one difference.

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

__all__ = ["Grid", "RoundingSpace", "grid_of", "round_scaled", "round_sizes"]

Singles = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]

_SIGN, _EXPONENT = np.uint32(0x80000000), np.uint32(0x7F800000)
_MAGNITUDE = ~_SIGN
_FINEST = 2.0**-100  # a spacing far above scaled values that are subnormal
_HIGHEST = 80  # an exponent whose addend is finite, even beyond the largest value
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

    The format has a sign bit, a zero and fraction bits, and its values are in the
    middle of float32's range. The cast rounds to nearest even and saturates; what it
    does to NaN and infinity is not asked.
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
    if spacing < _FINEST or fmt.emax > _HIGHEST:
        return None
    return Grid(
        spacing * 2.0**fmt.mantissa_bits,
        fmt.mantissa_bits,
        fmt.max,
        2.0 ** (fmt.emax + 20),
    )


class RoundingSpace:
    """Constants for up to `size` elements: arrays, as scalars are slower.

    A thread has one space at a time.
    """

    def __init__(self, size: int, grid: Grid) -> None:
        names = "smallest", "largest"
        arrays = (_BUFFERS.take(name, (size,), np.uint32) for name in names)
        self.smallest, self.largest = arrays
        self.smallest.fill(_bits(grid.smallest))
        self.largest.fill(_bits(grid.largest))


def round_scaled(y: Singles, grid: Grid, space: RoundingSpace, out: Singles) -> None:
    """Write the nearest elements of a contiguous vector below the limit to `out`."""
    sizes = _BUFFERS.take("sizes", y.shape, np.uint32)
    np.bitwise_and(y.view(np.uint32), _MAGNITUDE, out=sizes)
    smallest, largest = space.smallest[: y.size], space.largest[: y.size]
    round_sizes(y, sizes, smallest, largest, grid.mantissa_bits, out)


def round_sizes(
    x: Singles,
    sizes: Words,
    smallest: Words,
    largest: Words,
    mantissa_bits: int,
    out: Singles,
) -> None:
    """Write values, each rounded on a grid of its own, to `out`.

    Cut down to the largest value first, which is on the grid, they round to it.

    Parameters
    ----------
    sizes : ndarray of uint32, shape of `x`
        The bits of the magnitudes of `x`, which are overwritten.
    smallest, largest : ndarray of uint32
        The bits of each grid's smallest normal and largest value, which broadcast to
        the shape of `x`.
    mantissa_bits : int
        Fraction bits of all grids.
    """
    bits, rounded = x.view(np.uint32), out.view(np.uint32)
    spare = _BUFFERS.take("spare", x.shape, np.uint32)
    np.minimum(sizes, largest, out=sizes)
    np.bitwise_and(sizes, _EXPONENT, out=spare)
    np.maximum(spare, smallest, out=spare)
    addends, values = spare.view(np.float32), sizes.view(np.float32)
    addends *= np.float32(1.5 * 2.0 ** (23 - mantissa_bits))
    np.add(values, addends, out=values)
    np.subtract(values, addends, out=out)
    np.bitwise_and(bits, _SIGN, out=spare)
    np.bitwise_or(rounded, spare, out=rounded)  # of zeros too


def _bits(x: float) -> int:
    return int(np.float32(x).view(np.uint32))
