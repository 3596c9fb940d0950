"""How random words become the bits by which each element is rounded.

Vocabulary: the *rounding bits* of an element are an unsigned number of N bits, as
``encode(..., random=...)`` takes it with a cast of ``random_bits=N``. Elements are in
memory order. The forms of PTX's ``cvt.rs`` stand in `ptx_rs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from refnum.random._arguments import as_shared_words, as_uint32, in_range

__all__ = [
    "AMD_SEED_BITS",
    "amd_top_of_seed",
    "low_bits",
    "transformer_engine_bytes",
]

#: Bits of the seed that AMD's conversions use: those that a float32 has too many.
AMD_SEED_BITS: Mapping[str, int] = MappingProxyType(
    {
        "e2m1": 22,
        "e2m3": 20,
        "e3m2": 21,
        "e4m3": 20,
        "e5m2": 21,
        "bf16": 16,
        "fp16": 13,
    }
)


def transformer_engine_bytes(words: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Give byte i of a word to element i, as Transformer Engine's software path does.

    Parameters
    ----------
    words : array_like of integers, shape (..., n)
        One word for four elements.

    Returns
    -------
    ndarray of uint8, shape (..., 4 * n)
        Eight rounding bits an element, in memory order.

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits, or `words` has no axis.

    Notes
    -----
    The path stands in for ``cvt.rs`` to e2m1x4 where a GPU lacks it. The two agree in
    distribution, not in bits: compare `ptx_rs_e2m1x4`.

    References
    ----------
    NVIDIA Transformer Engine, transformer_engine/common/util/ptx.cuh:
    ``stochastic_round_fp4_e2m1``.

    Examples
    --------
    >>> print(*map(hex, transformer_engine_bytes([0x3322_1100])))
    0x0 0x11 0x22 0x33
    """
    rbits = np.ascontiguousarray(as_shared_words(words), "<u4")
    return rbits.view(np.uint8).copy()


def amd_top_of_seed(words: npt.ArrayLike, target: str) -> npt.NDArray[np.uint32]:
    """Take the top bits of each element's seed, as AMD's conversions do.

    Parameters
    ----------
    words : array_like of integers, shape (...)
        One 32-bit seed an element.
    target : str
        Format converted to, a key of `AMD_SEED_BITS`.

    Returns
    -------
    ndarray of uint32, shape (...)
        ``AMD_SEED_BITS[target]`` rounding bits an element: as many as the conversion
        of a normal float32 discards.

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits, or `target` is unknown.

    References
    ----------
    AMD mxDataGenerator, ``satConvertToTypeSR`` and its ``srShift``.

    Examples
    --------
    >>> hex(amd_top_of_seed(0x8765_4321, "bf16"))
    '0x8765'
    """
    if target not in AMD_SEED_BITS:
        raise ValueError(
            f"target must be one of {', '.join(AMD_SEED_BITS)}, not {target!r}"
        )
    seeds = as_uint32(words, "words")
    return np.asarray(seeds >> np.uint32(32 - AMD_SEED_BITS[target]))


def low_bits(words: npt.ArrayLike, bits: SupportsIndex) -> npt.NDArray[np.uint32]:
    """Take the low bits of each element's word.

    So do HIP's ``amd_hip_fp8.h`` (20 bits for E4M3, 21 for E5M2) and the dithering
    kernels written in Triton (22 bits for E2M1, 20 for E4M3, 16 for BF16).

    Parameters
    ----------
    words : array_like of integers, shape (...)
        One word an element.
    bits : int
        Number of bits, 1 to 32.

    Returns
    -------
    ndarray of uint32, shape (...)
        `bits` rounding bits an element.

    Raises
    ------
    TypeError
        If `words` or `bits` are no integers.
    ValueError
        If a word does not fit 32 bits, or `bits` is out of range.

    References
    ----------
    ROCm HIP, amd_hip_fp8.h: ``cast_to_f8`` and its ``drop_mask``.

    Examples
    --------
    >>> hex(low_bits(0x8765_4321, 20))
    '0x54321'
    """
    mask = np.uint32(2 ** in_range(bits, "bits", 1, 32) - 1)
    return np.asarray(as_uint32(words, "words") & mask)
