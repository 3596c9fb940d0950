"""What `encode` and `decode` take: each argument checked, or an error that names it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refnum.formats.cast import Cast
from refnum.formats.format import Format

__all__ = ["as_cast", "as_codes", "as_random", "as_values"]


def as_codes(codes: npt.ArrayLike, fmt: Format) -> npt.NDArray[np.integer]:
    """Return codes as an array in native byte order."""
    array = np.asarray(codes)
    if array.size == 0 and array.dtype == np.float64:
        array = array.astype(fmt.dtype)  # an empty list has no type of its own
    if array.dtype.kind not in "iu":
        raise TypeError(f"codes must be integers, not {array.dtype}")
    fits = array.dtype.kind == "u" and 8 * array.dtype.itemsize <= fmt.bits
    if not fits and array.size:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >> fmt.bits:
            wrong = low if low < 0 else high
            raise ValueError(
                f"code {wrong} is no code of {fmt.name}: 0 to {2**fmt.bits - 1} are"
            )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def as_values(x: npt.ArrayLike) -> npt.NDArray[np.generic]:
    """Return values as an array in native byte order."""
    array = np.asarray(x)
    native = array.dtype.newbyteorder("=")
    if native.kind not in "iu" and native not in (np.float16, np.float32, np.float64):
        raise TypeError(
            f"values must be float16, float32, float64 or integers, not {array.dtype}"
        )
    return array.astype(native, copy=False)


def as_cast(cast: Cast) -> Cast:
    """Return the cast."""
    if not isinstance(cast, Cast):
        raise TypeError(f"cast must be a Cast, not {type(cast).__name__}")
    return cast


def as_random(
    random: npt.ArrayLike | None, cast: Cast, shape: tuple[int, ...]
) -> npt.NDArray[np.unsignedinteger] | None:
    """Return the random bits, None for a deterministic cast."""
    if cast.random_bits is None:
        if random is not None:
            raise ValueError(f"{cast.rounding.value} rounding takes no random bits")
        return None
    if random is None:
        raise ValueError(f"{cast.rounding.value} rounding needs random bits (random=)")
    words = np.asarray(random)
    if words.dtype.kind != "u":
        raise TypeError(f"random bits must be unsigned integers, not {words.dtype}")
    if words.shape != shape:
        raise ValueError(f"random has shape {words.shape}; the values have {shape}")
    if words.size and int(words.max()) >> cast.random_bits:
        raise ValueError(
            f"random holds {int(words.max())}, which does not fit "
            f"{cast.random_bits} bits"
        )
    return words
