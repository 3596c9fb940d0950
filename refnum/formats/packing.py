"""Codes of any width, packed without gaps into bytes.

Bit i of code k is bit ``k * bits + i`` of the data, counted from the low bit of the
first byte. So the first of two FP4 codes is the low nibble, four FP6 codes make three
bytes, and 8- and 16-bit codes are their own little-endian bytes.
"""

from __future__ import annotations

import operator

import numpy as np
import numpy.typing as npt

__all__ = ["pack", "unpack"]

_WIDEST = 16
_CHUNK = 1 << 12  # groups of eight codes: what is touched stays in the cache


def pack(codes: npt.ArrayLike, bits: int) -> npt.NDArray[np.uint8]:
    """Pack codes into bytes, the first code in the lowest bits.

    Parameters
    ----------
    codes : array_like of integers
        Codes below ``2**bits``, taken in C order.
    bits : int
        Width of a code, 1 to 16.

    Returns
    -------
    ndarray of uint8
        ``ceil(size * bits / 8)`` bytes; bits past the last code are zero.

    Raises
    ------
    TypeError
        If the codes are no integers.
    ValueError
        If `bits` is out of range, or a code does not fit.

    References
    ----------
    PTX ISA 9.4, section 5.2.3 (packed e2m1x2); OCP leaves the packing open.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.pack([0x2, 0xF], 4)
    array([242], dtype=uint8)
    """
    width = _as_width(bits)
    array = np.asarray(codes)
    if array.size == 0:
        return np.zeros(0, np.uint8)
    if array.dtype.kind not in "iu":
        raise TypeError(f"codes must be integers, not {array.dtype}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >> width:
        wrong = low if low < 0 else high
        raise ValueError(f"code {wrong} does not fit {width} bits")
    flat = array.reshape(-1)
    if width == 8:
        return flat.astype(np.uint8)
    if width == 4:
        return _pack_nibbles(flat.astype(np.uint8, copy=False))
    if width < 8:
        return _pack_eights(flat.astype(np.uint8, copy=False), width)
    wide = flat.astype("<u2").view(np.uint8).reshape(-1, 2)
    stream = np.unpackbits(wide, axis=1, count=width, bitorder="little")
    return np.packbits(stream.reshape(-1), bitorder="little")


def unpack(
    data: npt.ArrayLike, bits: int, count: int
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Unpack `count` codes from bytes: the inverse of `pack`.

    Parameters
    ----------
    data : array_like of uint8
        Packed bytes, taken in C order; further bytes are not read.
    bits : int
        Width of a code, 1 to 16.
    count : int
        Number of codes.

    Returns
    -------
    ndarray, shape (count,)
        uint8 for codes of up to 8 bits, else uint16.

    Raises
    ------
    TypeError
        If the data are not bytes.
    ValueError
        If `bits` or `count` is out of range, or the data are too short.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.unpack(rn.pack([5, 1, 7], 4), 4, 3)
    array([5, 1, 7], dtype=uint8)
    """
    width = _as_width(bits)
    count = operator.index(count)
    raw = np.asarray(data)
    if raw.size == 0:
        raw = raw.astype(np.uint8)
    if raw.dtype != np.uint8:
        raise TypeError(f"packed data must be uint8, not {raw.dtype}")
    needed = -(-count * width // 8)
    if count < 0 or raw.size < needed:
        raise ValueError(
            f"{count} codes of {width} bits need {needed} bytes; there are {raw.size}"
        )
    raw = raw.reshape(-1)[:needed]
    if width == 8:
        return raw.copy()
    if width == 4:
        return _unpack_nibbles(raw)[:count]
    if width < 8:
        return _unpack_eights(raw, width, count)
    stream = np.unpackbits(raw, count=count * width, bitorder="little")
    wide = np.zeros((count, 16), np.uint8)
    wide[:, :width] = stream.reshape(count, width)
    codes = np.packbits(wide, axis=1, bitorder="little").view("<u2")
    return codes.reshape(-1).astype(np.uint16)


def _pack_eights(codes: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    """Pack codes of less than 8 bits: eight of them fill `width` bytes of a word."""
    out = np.empty((-(-codes.size // 8), width), np.uint8)
    for start in range(0, len(out), _CHUNK):
        part = codes[8 * start : 8 * (start + _CHUNK)]
        eights = np.zeros((-(-part.size // 8), 8), np.uint64)
        eights.reshape(-1)[: part.size] = part
        words = np.zeros(len(eights), "<u8")
        for place in range(8):
            words |= eights[:, place] << np.uint64(width * place)
        out[start : start + len(words)] = words.view(np.uint8).reshape(-1, 8)[:, :width]
    return out.reshape(-1)[: -(-codes.size * width // 8)]


def _unpack_eights(
    data: npt.NDArray[np.uint8], width: int, count: int
) -> npt.NDArray[np.uint8]:
    out = np.empty((-(-count // 8), 8), np.uint8)
    mask = np.uint64((1 << width) - 1)
    for start in range(0, len(out), _CHUNK):
        part = data[width * start : width * (start + _CHUNK)]
        raw = np.zeros((min(_CHUNK, len(out) - start), 8), np.uint8)
        filled = np.zeros(raw.shape[0] * width, np.uint8)
        filled[: part.size] = part
        raw[:, :width] = filled.reshape(-1, width)
        words = raw.view("<u8").reshape(-1)
        for place in range(8):
            out[start : start + len(words), place] = (
                words >> np.uint64(width * place) & mask
            )
    return out.reshape(-1)[:count]


def _pack_nibbles(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    out = np.zeros(-(-codes.size // 2), np.uint8)
    out[: codes.size // 2] = codes[1::2] << 4
    out |= codes[::2]
    return out


def _unpack_nibbles(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    out = np.empty(2 * data.size, np.uint8)
    np.bitwise_and(data, 15, out=out[::2])
    np.right_shift(data, 4, out=out[1::2])
    return out


def _as_width(bits: int) -> int:
    width = operator.index(bits)
    if not 1 <= width <= _WIDEST:
        raise ValueError(f"bits must be 1 to {_WIDEST}, not {width}")
    return width
