"""From values and their scales to codes, or to the elements that codes stand for."""

from __future__ import annotations

from functools import cached_property
from math import isnan
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.laid import Laid
from refnum.blocks.maxima import block_maxima
from refnum.blocks.rounding import RoundingSpace, grid_of, round_scaled
from refnum.blocks.scale_table import scale_blocks
from refnum.blocks.scaling import Codes, Scales, Singles
from refnum.blocks.slabs import Piece, Slabs
from refnum.blocks.tangents import Workspace, encode_scaled, tangents_of
from refnum.formats import Format, decode, encode, round_to
from refnum.formats.tables import pair_table, value_table

__all__ = ["Encoder", "Found", "look_up", "spread"]

_Kind = TypeVar("_Kind", bound=np.generic)

Floats = npt.NDArray[np.floating[Any]]
Words = npt.NDArray[np.unsignedinteger[Any]]


class Found(NamedTuple):
    """The scales of a part, and what its scaled values are like."""

    scales: Scales
    largest: float
    """The largest scaled magnitude, within bounds; NaN if there is one."""
    has_nan: bool
    bound: np.float32 | None
    """What scaled magnitudes must be cut down to: far beyond the largest element."""


class Encoder:
    """Scales values, and makes codes or elements of them in the fastest way.

    Parameters
    ----------
    fmt : BlockFormat
        The target.
    size : int
        Elements of a piece.
    """

    def __init__(self, fmt: BlockFormat, size: int) -> None:
        self._fmt = fmt
        self._tangents = tangents_of(fmt.element, fmt.element_cast)
        self._grid = grid_of(fmt.element, fmt.element_cast)
        self._size = size
        limits = [way.limit for way in (self._tangents, self._grid) if way is not None]
        # Greater values saturate as this one does, if they are finite.
        self._bound = np.nextafter(np.float32(min(limits, default=0)), np.float32(0))
        self._apply = np.divide if fmt.rule.arithmetic.divides else np.multiply

    @cached_property
    def _work(self) -> Workspace:
        largest = self._tangents.largest if self._tangents else 0
        return Workspace(self._size, largest)

    @cached_property
    def _space(self) -> RoundingSpace:
        assert self._grid is not None
        return RoundingSpace(self._work.scaled.size, self._grid)

    def scales(self, laid: Laid, part: Piece, inside: Slabs) -> Found:
        """Return the scales of a part."""
        if laid.maxima is None:
            maxima = block_maxima(laid.values[part.elements], inside)
        else:
            maxima = laid.maxima[part.blocks]
        floor = np.float32(self._fmt.rule.amax_floor)
        statistic = np.maximum(maxima, floor) if floor else maxima
        reference = laid.reference
        own = reference[part.blocks] if reference.ndim else reference
        found = scale_blocks(statistic, own, self._fmt)
        largest = float(np.max(self._apply(maxima, found.factors)))
        has_nan = isnan(largest) and bool(np.isnan(np.max(maxima)))
        bound = None
        if self._bound < largest < np.inf and self._bound:
            largest, bound = float(self._bound), self._bound
        return Found(found, largest, has_nan, bound)

    def makes_codes(self, found: Found) -> bool:
        """Whether tangents give the codes of a part."""
        return self._tangents is not None and found.largest < self._tangents.limit

    def rounds(self, found: Found) -> bool:
        """Whether sums round the values of a part."""
        return self._grid is not None and found.largest < self._grid.limit

    def scaled(self, x: Singles, piece: Piece, found: Found, width: int) -> Singles:
        """Return a piece of `x` times (or over) the factors of its blocks."""
        some = x[piece.elements]
        if some.size > self._work.scaled.size:
            self._work.scaled = np.empty(some.size, np.float32)
        y = self._work.scaled[: some.size].reshape(some.shape)
        self._apply(some, spread(found.scales.factors, piece, width), out=y)
        if found.has_nan:  # of two NaNs, machines keep the one or the other
            np.copyto(y, some, where=np.isnan(some))
        if found.bound is not None:
            np.minimum(np.maximum(y, -found.bound, out=y), found.bound, out=y)
        return y

    def encode(
        self, y: Singles, random: Words | None, found: Found, out: Codes
    ) -> None:
        """Write the codes of scaled values, which are overwritten, to `out`."""
        element, cast = self._fmt.element, self._fmt.element_cast
        if not self.makes_codes(found):
            out[...] = encode(y, element, cast, random=random)
        elif out.flags.c_contiguous:
            self._write_codes(y, random, out)
        else:
            out[...] = self._codes(y, random)

    def round(
        self, y: Singles, random: Words | None, found: Found, out: Singles
    ) -> None:
        """Write the elements that the codes of scaled values stand for to `out`."""
        element, cast = self._fmt.element, self._fmt.element_cast
        if self.rounds(found) and out.flags.c_contiguous:
            self._write_rounded(y, out)
        elif self.rounds(found):
            place = np.empty(out.shape, np.float32)
            self._write_rounded(y, place)
            out[...] = place
        elif self.makes_codes(found):
            look_up(self._codes(y, random), element, out)
        else:
            out[...] = round_to(y, element, cast, random=random)

    def _codes(self, y: Singles, random: Words | None) -> Codes:
        """Return codes made by tangents, in a buffer."""
        out: Codes = self._work.codes[0][: y.size].reshape(y.shape)
        self._write_codes(y, random, out)
        return out

    def _write_codes(self, y: Singles, random: Words | None, out: Codes) -> None:
        assert self._tangents is not None
        bits = None if random is None else random.reshape(-1)
        encode_scaled(y.reshape(-1), bits, self._tangents, self._work, out.reshape(-1))

    def _write_rounded(self, y: Singles, out: Singles) -> None:
        assert self._grid is not None
        round_scaled(y.reshape(-1), self._grid, self._space, out.reshape(-1))


def spread(blocks: npt.NDArray[_Kind], piece: Piece, width: int) -> npt.NDArray[_Kind]:
    """Return what belongs to blocks, once for each column of a piece."""
    some = blocks[piece.blocks]
    columns = piece.elements[2].stop - piece.elements[2].start
    if width == 1 or columns < width:
        return some[:, np.newaxis]
    return np.repeat(some, width).reshape(len(some), 1, columns)


def look_up(codes: Codes, fmt: Format, out: Floats) -> None:
    """Write the values of codes that are known to fit the format to `out`."""
    place = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    if fmt.bits > 8:
        decode(codes, fmt, out.dtype, out=place)
    elif codes.flags.c_contiguous and codes.size % 2 == 0:
        pairs = pair_table(fmt, out.dtype)
        two = codes.reshape(-1).view(np.uint16)
        pairs.take(two, mode="wrap", out=place.reshape(-1).view(pairs.dtype))
    else:
        value_table(fmt, out.dtype).take(codes, mode="wrap", out=place)
    if place is not out:
        out[...] = place
