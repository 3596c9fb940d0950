"""Codes of small floats by three sums: no table, no look-up.

The magnitude's code, as a function of its value, is linear between codes and bends down
at every binade: it is the least of its tangents, one for each spacing of the values.
Rounding keeps the order of numbers; so the code of a value is the least of its tangents'
values, each rounded.

To nearest even, one float32 sum rounds a tangent: added to a number whose last place is
one code, the value pushes what lies below that place out, and the code is in the lowest
bits. A stochastic rounding adds its random bits to the tangent in fixed point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers
from refnum.formats import Cast, Format, Rounding, Saturation

__all__ = ["Tangents", "Workspace", "encode_scaled", "tangents_of"]

Singles = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.unsignedinteger[Any]]

_MOST = 3  # tangents, beyond which a table is faster
_LAST_PLACE_ONE = 1.5 * 2.0**23  # sums with numbers below 2^22 keep its exponent
_CODES = 128  # magnitudes are below that many of the finest spacing
_SHORT, _LONG = 16, 32  # bits of sums with random bits
_FRACTION = 24  # bits below a code, at most: fixed point is in 31 bits
_SIGN = np.uint32(0x80000000)
_BUFFERS = Buffers()
_DITHERS = {Rounding.STOCHASTIC_A: 0, Rounding.STOCHASTIC_B: 1}


@dataclass(frozen=True)
class Tangents:
    """What makes codes of scaled values.

    Parameters
    ----------
    spacing : float
        The finest distance of two values.
    shifts, offsets : tuple of int
        Tangent i of a value x is ``x / (spacing * 2**shifts[i]) + offsets[i]``.
    largest : int
        The largest magnitude's code.
    sign_shift : int
        The place of the sign bit.
    random_bits : int
        Random bits of an element, 0 for rounding to nearest even.
    half : int
        1 if half a unit of the random bits is added to them.
    """

    spacing: float
    shifts: tuple[int, ...]
    offsets: tuple[int, ...]
    largest: int
    sign_shift: int
    random_bits: int
    half: int

    @property
    def is_short(self) -> bool:
        """Whether stochastic sums of twice the largest value fit 16 bits."""
        most = (self.largest - self.offsets[-1]) << self.shifts[-1]
        return bool(self.random_bits) and 2 * most < 1 << self._room

    @property
    def limit(self) -> float:
        """What magnitudes must be below, so that no sum runs over."""
        if not self.random_bits:
            return self.spacing * _CODES
        room = self._room if self.is_short else _LONG - 1 - self.random_bits - self.half
        return self.spacing * min(_CODES, (1 << room) - 1)

    @property
    def _room(self) -> int:
        """Bits for codes in 16-bit sums: one for the sign, others for random bits."""
        return max(0, min(7, _SHORT - 1 - self.random_bits - self.half))


@lru_cache(maxsize=64)
def tangents_of(fmt: Format, cast: Cast) -> Tangents | None:
    """Return the tangents of a conversion, None if it is another kind.

    The format has a sign bit, at most eight bits and few spacings. The cast rounds to
    nearest even, or in one of two stochastic ways, and keeps the signs of zeros; what
    it does to NaN and infinity is not asked.
    """
    plain, given = Cast().resolve(fmt), cast.resolve(fmt)
    half = _DITHERS.get(given.rounding)
    settled = replace(
        given,
        rounding=given.rounding if half is None else plain.rounding,
        random_bits=given.random_bits if half is None else plain.random_bits,
        nan=plain.nan,
        nan_sign=plain.nan_sign,
        missing_nan=plain.missing_nan,
        saturation=Saturation.FINITE,
    )
    if given.saturation is Saturation.NONE or settled != plain:
        return None
    if not fmt.signed or fmt.twos_complement or fmt.bits > 8 or not fmt.mantissa_bits:
        return None
    random_bits = given.random_bits or 0
    values = fmt.values[: fmt.max_code + 1]
    spacings, first = np.unique(np.diff(values), return_index=True)
    too_fine = random_bits + (half or 0) > _FRACTION
    if len(spacings) > _MOST or values[0] != 0 or too_fine:
        return None
    return Tangents(
        float(spacings[0]),
        tuple(np.log2(spacings / spacings[0]).astype(int).tolist()),
        tuple((first - values[first] / spacings).astype(int).tolist()),
        fmt.max_code,
        fmt.bits - 1,
        random_bits,
        half or 0,
    )


class Workspace:
    """Buffers for up to `size` elements; a thread has one workspace at a time.

    Parameters
    ----------
    size : int
        Elements.
    largest : int
        The code that nothing exceeds.
    """

    def __init__(self, size: int, largest: int) -> None:
        take = _BUFFERS.take
        self.scaled = take("scaled", (size,), np.float32)
        self.sums = take("sums", (2, size), np.float32)
        self.codes = take("codes", (2, size), np.uint8)
        self.signs = take("signs", (-(-size // 8) * 8,), np.bool_)  # words of eight
        self.largest = take("largest", (size,), np.uint8)
        self.largest.fill(largest)  # scalars are slower


def encode_scaled(
    y: Singles,
    random: Words | None,
    tangents: Tangents,
    work: Workspace,
    out: Bytes,
) -> None:
    """Write the codes of a contiguous vector below the limit; `y` is overwritten."""
    signs = work.signs[: y.size]
    np.signbit(y, out=signs)
    bits = y.view(np.uint32)
    np.bitwise_and(bits, ~_SIGN, out=bits)
    if random is None:
        _nearest(y, tangents, work, out)
    elif tangents.is_short:
        _dithered_short(y, random, tangents, work, out)
    else:
        _dithered(y, random, tangents, work, out)
    words = work.signs[: -(-y.size // 8) * 8].view(np.uint64)
    np.left_shift(words, np.uint64(tangents.sign_shift), out=words)
    np.bitwise_or(out, signs.view(np.uint8), out=out)


def _nearest(y: Singles, tangents: Tangents, work: Workspace, out: Bytes) -> None:
    """Write the codes of magnitudes, rounded to nearest even."""
    sums, other = work.sums[0][: y.size], work.codes[1][: y.size]
    least = work.largest[: y.size]
    for shift, offset in zip(tangents.shifts, tangents.offsets, strict=True):
        spacing = tangents.spacing * 2.0**shift
        np.add(y, np.float32((_LAST_PLACE_ONE + offset) * spacing), out=sums)
        np.copyto(other, sums.view(np.uint32), casting="unsafe")  # the lowest byte
        np.minimum(least, other, out=out)
        least = out


def _dithered(
    y: Singles, random: Words, tangents: Tangents, work: Workspace, out: Bytes
) -> None:
    """Write the codes of magnitudes, rounded up where random bits carry."""
    bits = tangents.random_bits + tangents.half
    sums, fixed = work.sums[:, : y.size].view(np.int32)
    np.multiply(y, np.float32(2.0**bits / tangents.spacing), out=y)
    np.copyto(fixed, y, casting="unsafe")  # its integer part
    draw = y.view(np.int32)
    np.copyto(draw, random, casting="unsafe")
    if tangents.half:
        draw += draw
        draw += 1
    other, least, down = work.codes[1][: y.size], work.largest[: y.size], 0
    for shift, offset in zip(tangents.shifts, tangents.offsets, strict=True):
        if shift > down:
            np.right_shift(fixed, shift - down, out=fixed)
        down = shift
        np.add(fixed, draw, out=sums)
        np.right_shift(sums, bits, out=sums)
        np.copyto(other, sums, casting="unsafe")
        if offset:
            np.add(other, np.uint8(offset), out=other)
        np.minimum(least, other, out=out)
        least = out


def _dithered_short(
    y: Singles, random: Words, tangents: Tangents, work: Workspace, out: Bytes
) -> None:
    """Do the same in 16 bits, which is quicker."""
    bits = tangents.random_bits + tangents.half
    buffers = work.sums.view(np.int16).reshape(4, -1)[:, : y.size]
    fixed, draw, least, sums = buffers
    np.multiply(y, np.float32(2.0**bits / tangents.spacing), out=y)
    np.copyto(fixed, y, casting="unsafe")  # its integer part
    np.copyto(draw, random, casting="unsafe")
    if tangents.half:
        draw += draw
        draw += np.int16(1)
    target, down = least, 0
    for shift, offset in zip(tangents.shifts, tangents.offsets, strict=True):
        if shift > down:
            np.right_shift(fixed, shift - down, out=fixed)
        down = shift
        np.add(fixed, draw, out=target)
        np.right_shift(target, bits, out=target)
        if offset:
            np.add(target, np.int16(offset), out=target)
        if target is sums:
            np.minimum(least, sums, out=least)
        target = sums
    np.copyto(out, least, casting="unsafe")
    np.minimum(out, work.largest[: y.size], out=out)
