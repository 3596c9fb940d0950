"""How each library turns a random word into a float32 between 0 and 1.

All of them round the word to float32 first, so they differ in the ends of the interval,
in how many bits of the word count, and in the last bit of the scale.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refnum.random._arguments import as_uint32

__all__ = ["at_philox_uniform", "curand_uniform", "torch_uniform", "triton_uniform"]

_TWO_TO_MINUS_32 = np.float32(2**-32)
_TWO_TO_MINUS_33 = np.float32(2**-33)

# The float32 nearest the literal 4.6566127342e-10, one ulp below 2^-31: it keeps 2^31,
# to which the largest 31-bit words round, below one.
_BELOW_TWO_TO_MINUS_31 = np.float32(float.fromhex("0x1.fffffep-32"))


def curand_uniform(words: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Map words to (0, 1], as ``curand_uniform`` does.

    Parameters
    ----------
    words : array_like of integers, shape (...)
        Random 32-bit words.

    Returns
    -------
    ndarray of float32, shape (...)
        ``float32(word) * 2^-32 + 2^-33``. The product is exact, so it does not matter
        whether the compiler contracts it with the sum.

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits.

    References
    ----------
    NVIDIA cuRAND, curand_uniform.h.

    Examples
    --------
    >>> curand_uniform([0, 2**31, 2**32 - 1])
    array([1.1641532e-10, 5.0000000e-01, 1.0000000e+00], dtype=float32)
    """
    rounded = as_uint32(words, "words").astype(np.float32)
    return np.asarray(rounded * _TWO_TO_MINUS_32 + _TWO_TO_MINUS_33)


def torch_uniform(words: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Map words to (0, 1), as ``torch.rand`` does on CUDA, with 0 in place of 1.

    Parameters
    ----------
    words : array_like of integers, shape (...)
        Random 32-bit words.

    Returns
    -------
    ndarray of float32, shape (...)
        `curand_uniform`, its ones replaced by zeros.

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits.

    References
    ----------
    PyTorch, aten/src/ATen/native/cuda/DistributionTemplates.h: ``uniform_kernel``.

    Examples
    --------
    >>> torch_uniform([0, 2**31, 2**32 - 1])
    array([1.1641532e-10, 5.0000000e-01, 0.0000000e+00], dtype=float32)
    """
    values = curand_uniform(words)
    return np.where(values == 1, np.float32(0), values)


def at_philox_uniform(words: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Map words to [0, 1), as ``at::Philox4_32`` does.

    Parameters
    ----------
    words : array_like of integers, shape (...)
        Random 32-bit words; the sign bit is dropped.

    Returns
    -------
    ndarray of float32, shape (...)
        The low 31 bits as float32, times the float32 just below 2^-31.

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits.

    References
    ----------
    PyTorch, aten/src/ATen/core/PhiloxRNGEngine.h and
    torch/csrc/inductor/cpp_prefix.h: ``uint32_to_uniform_float``.

    Examples
    --------
    >>> at_philox_uniform([0, 2**30, 2**31, 2**32 - 1])
    array([0.        , 0.49999997, 0.        , 0.99999994], dtype=float32)
    """
    magnitude = as_uint32(words, "words") & np.uint32(0x7FFFFFFF)
    return np.asarray(magnitude.astype(np.float32) * _BELOW_TWO_TO_MINUS_31)


def triton_uniform(words: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Map words to [0, 1), as ``tl.rand`` does.

    Parameters
    ----------
    words : array_like of integers, shape (...)
        Random 32-bit words. ``tl.rand`` uses the first of four; ``tl.rand4x`` all.

    Returns
    -------
    ndarray of float32, shape (...)
        The word as int32, inverted where negative, as float32, times the float32 just
        below 2^-31.

    Raises
    ------
    TypeError
        If `words` are no integers.
    ValueError
        If a word does not fit 32 bits.

    References
    ----------
    Triton, python/triton/language/random.py: ``uint_to_uniform_float``.

    Examples
    --------
    >>> triton_uniform([0, 2**30, 2**31, 2**32 - 1])
    array([0.        , 0.49999997, 0.99999994, 0.        ], dtype=float32)
    """
    signed = as_uint32(words, "words").view(np.int32)
    magnitude = signed ^ (signed >> 31)  # the sign fills the shifted word
    return np.asarray(magnitude.astype(np.float32) * _BELOW_TWO_TO_MINUS_31)
