"""The rounding bits of PTX's ``cvt.rs``: which bits of rbits round which element.

Vocabulary: PTX calls the 32-bit random word *rbits* and names the operands of a
conversion from the high end of the result: a, b, e, f for four elements, a, b for two.
Memory runs the other way, low end first, and so do all arrays here: element 0 is f (or
b of two), the last element is a. A *chunk* is the 16 bits that two elements share.

Evidence. PTX ISA 9.4 says which bits serve each element of f16x2 and bf16x2, but of
four elements only which bits serve each pair. How a pair shares its chunk was measured
by others on sm_100a for e4m3x4 alone: one element takes it as it is (b, f), the other
bit-reversed (a, e). For e5m2x4, e2m3x4, e3m2x4 and e2m1x4 the same is inferred.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from refnum.random._arguments import as_shared_words

__all__ = ["ptx_rs_bf16x2", "ptx_rs_e2m1x4", "ptx_rs_e4m3x4", "ptx_rs_f16x2"]


def ptx_rs_e4m3x4(words: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """Split rbits as ``cvt.rs`` to e4m3x4, e5m2x4, e2m3x4 and e3m2x4 does.

    The lower half of rbits serves f and e, the upper half b and a; e and a take their
    half bit-reversed.

    Parameters
    ----------
    words : array_like of integers, shape (..., n)
        One word rbits for four elements.

    Returns
    -------
    ndarray of uint16, shape (..., 4 * n)
        Sixteen rounding bits an element, in memory order (f, e, b, a).

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits, or `words` has no axis.

    Notes
    -----
    Halves: PTX ISA 9.4, ``cvt``. Sharing of a half: measured on sm_100a for e4m3x4,
    inferred for the other three forms.

    References
    ----------
    PTX ISA 9.4, section 9.7.10.24; FlashInfer, include/flashinfer/mamba/conversion.cuh.

    Examples
    --------
    >>> print(*map(hex, ptx_rs_e4m3x4([0x8001_000F])))
    0xf 0xf000 0x8001 0x8001
    """
    return _straight_and_reversed(_halves(words))


def ptx_rs_e2m1x4(words: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """Split rbits as ``cvt.rs`` to e2m1x4 does.

    Bytes 2 and 0 of rbits form the chunk of f and e, bytes 3 and 1 that of b and a,
    the higher byte above; e and a take their chunk bit-reversed.

    Parameters
    ----------
    words : array_like of integers, shape (..., n)
        One word rbits for four elements.

    Returns
    -------
    ndarray of uint16, shape (..., 4 * n)
        Sixteen rounding bits an element, in memory order (f, e, b, a).

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits, or `words` has no axis.

    Notes
    -----
    Bytes: PTX ISA 9.4, ``cvt``. That e and a are the reversed ones is inferred from
    e4m3x4, not measured.

    References
    ----------
    PTX ISA 9.4, section 9.7.10.24; FlashInfer, include/flashinfer/mamba/conversion.cuh.

    Examples
    --------
    >>> print(*map(hex, ptx_rs_e2m1x4([0x3322_1100])))
    0x2200 0x44 0x3311 0x88cc
    """
    rbits = np.ascontiguousarray(as_shared_words(words), "<u4")
    data = rbits.view(np.uint8).reshape(*rbits.shape, 4)[..., [0, 2, 1, 3]]
    chunks = np.ascontiguousarray(data).view("<u2").astype(np.uint16)
    return _straight_and_reversed(
        chunks.reshape(*rbits.shape[:-1], 2 * rbits.shape[-1])
    )


def ptx_rs_f16x2(words: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """Split rbits as ``cvt.rs`` to f16x2 does: bits 12 to 0 for b, 28 to 16 for a.

    Parameters
    ----------
    words : array_like of integers, shape (..., n)
        One word rbits for two elements.

    Returns
    -------
    ndarray of uint16, shape (..., 2 * n)
        Thirteen rounding bits an element, in memory order (b, a).

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits, or `words` has no axis.

    References
    ----------
    PTX ISA 9.4, section 9.7.10.24.

    Examples
    --------
    >>> print(*map(hex, ptx_rs_f16x2([0xFFFF_2001])))
    0x1 0x1fff
    """
    return ptx_rs_bf16x2(words) & np.uint16(0x1FFF)


def ptx_rs_bf16x2(words: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """Split rbits as ``cvt.rs`` to bf16x2 does: the lower half for b, the upper for a.

    Parameters
    ----------
    words : array_like of integers, shape (..., n)
        One word rbits for two elements.

    Returns
    -------
    ndarray of uint16, shape (..., 2 * n)
        Sixteen rounding bits an element, in memory order (b, a).

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits, or `words` has no axis.

    References
    ----------
    PTX ISA 9.4, section 9.7.10.24.

    Examples
    --------
    >>> print(*map(hex, ptx_rs_bf16x2([0xABCD_1234])))
    0x1234 0xabcd
    """
    return _halves(words)


def _halves(words: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """Return the lower and the upper half of each word, (..., n) to (..., 2 * n)."""
    rbits = np.ascontiguousarray(as_shared_words(words), "<u4")
    return rbits.view("<u2").astype(np.uint16)


def _straight_and_reversed(chunks: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Give each chunk to two elements: as it is, then bit-reversed."""
    out = np.empty((*chunks.shape[:-1], 2 * chunks.shape[-1]), np.uint16)
    out[..., 0::2] = chunks
    out[..., 1::2] = _reversals()[chunks]
    return out


@cache
def _reversals() -> npt.NDArray[np.uint16]:
    """Return every 16-bit number with its bits in reverse order."""
    numbers = np.arange(2**16, dtype=np.uint16)
    table = np.zeros_like(numbers)
    for bit in range(16):
        table |= ((numbers >> np.uint16(bit)) & np.uint16(1)) << np.uint16(15 - bit)
    table.flags.writeable = False
    return table
