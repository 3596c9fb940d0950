"""The only door between values and codes: `encode`, `decode` and `round_to`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from refnum.formats.arithmetic import encode_float64
from refnum.formats.cast import Cast, NaNChoice, Saturation
from refnum.formats.catalog import FP32, format
from refnum.formats.format import Format
from refnum.formats.tables import (
    CHUNK,
    code_table,
    index_shift,
    jam_float64,
    table_index,
)

__all__ = ["as_codes", "decode", "encode", "round_to"]

_Array = npt.NDArray[np.generic]
_DEFAULT = Cast()
_FIRST_ROUNDING = Cast(nan=NaNChoice.QUIET, nan_sign=True, saturation=Saturation.NONE)


def encode(
    x: npt.ArrayLike,
    fmt: Format | str,
    cast: Cast = _DEFAULT,
    *,
    random: npt.ArrayLike | None = None,
) -> npt.NDArray[np.unsignedinteger]:
    """Convert values to codes, with one rounding.

    Parameters
    ----------
    x : array_like
        Values of any shape: float16, float32, float64 or integers. Each is
        converted from its exact value.
    fmt : Format or str
        The target, or its name.
    cast : Cast
        How to convert.
    random : array_like of unsigned integers, optional
        `cast.random_bits` random bits an element, of the shape of `x`; for the
        stochastic roundings, and only for them.

    Returns
    -------
    ndarray
        Codes of the shape of `x`: uint8, uint16 or uint32, the smallest that fits.

    Raises
    ------
    TypeError
        If `x` holds anything but real numbers, or `random` is not unsigned.
    ValueError
        If `random` is missing, needless, of another shape or too wide, or if a NaN
        meets a format without one under ``MissingNaN.ERROR``.

    References
    ----------
    P3109 interim report, Project: round, then saturate. OCP Microscaling v1.0, 6.3.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.encode([0.3, -448.0, 1e9], rn.E4M3)
    array([ 42, 254, 126], dtype=uint8)
    """
    fmt, values = format(fmt), _as_values(x)
    cast = _as_cast(cast).resolve(fmt)
    words = _as_random(random, cast, values.shape)
    out = np.empty(values.shape, fmt.dtype)
    if words is None:
        convert = _deterministic(fmt, cast)
        return _in_chunks(convert, values, out)
    flat, bits, target = values.reshape(-1), words.reshape(-1), out.reshape(-1)
    for part in _chunks(flat.size):
        target[part] = encode_float64(_first(flat[part], cast), fmt, cast, bits[part])
    return out


def decode(
    codes: npt.ArrayLike, fmt: Format | str, dtype: npt.DTypeLike = np.float32
) -> npt.NDArray[np.floating]:
    """Convert codes to values.

    Parameters
    ----------
    codes : array_like of integers
        Codes of any shape, below ``2**fmt.bits``.
    fmt : Format or str
        Their format, or its name.
    dtype : dtype
        float32, float64 or float16. float32 and float64 hold every value exactly;
        float16 rounds, and overflows to infinity.

    Returns
    -------
    ndarray
        Values of the shape of `codes`.

    Raises
    ------
    TypeError
        If the codes are no integers or `dtype` is no such type.
    ValueError
        If a code does not fit the format.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.decode([0x00, 0x7E, 0xFF], rn.E4M3)
    array([  0., 448.,  nan], dtype=float32)
    """
    fmt = format(fmt)
    array, kind = as_codes(codes, fmt), np.dtype(dtype)
    if kind not in (np.float16, np.float32, np.float64):
        raise TypeError(f"dtype must be float16, float32 or float64, not {kind}")
    if fmt == FP32:
        single = np.ascontiguousarray(array, np.uint32).view(np.float32)
        return _quietly(single.reshape(array.shape), kind)
    table = _value_table(fmt, kind)
    out = np.empty(array.shape, kind)

    def convert(chunk: _Array, target: _Array, _: _Array) -> None:
        table.take(chunk, mode="wrap", out=target)  # type: ignore[call-overload]

    return _in_chunks(convert, array, out)


def round_to(
    x: npt.ArrayLike,
    fmt: Format | str,
    cast: Cast = _DEFAULT,
    *,
    random: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float32]:
    """Round values to those that a format has: ``decode(encode(x))`` in one step.

    Parameters
    ----------
    x, fmt, cast, random
        As for `encode`.

    Returns
    -------
    ndarray of float32
        Rounded values of the shape of `x`.

    Raises
    ------
    TypeError, ValueError
        As `encode`.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.round_to([0.3, 2.4, 100.0], rn.E2M1)
    array([0.5, 2. , 6. ], dtype=float32)
    """
    fmt = format(fmt)
    resolved = _as_cast(cast).resolve(fmt)
    if resolved.rounding.is_stochastic or random is not None or fmt.bits > 16:
        return decode(encode(x, fmt, cast, random=random), fmt).astype(np.float32)
    values = _as_values(x)
    convert = _deterministic(fmt, resolved, as_values=True)
    return _in_chunks(convert, values, np.empty(values.shape, np.float32))


def as_codes(codes: npt.ArrayLike, fmt: Format) -> npt.NDArray[np.integer]:
    """Return codes as an array, or raise if one does not fit the format."""
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


_Convert = Callable[[_Array, _Array, _Array], None]


def _deterministic(fmt: Format, cast: Cast, as_values: bool = False) -> _Convert:
    """Return what converts one chunk: ``(values, out, scratch) -> None``."""
    shift = index_shift(fmt)
    if shift is None:
        return _by_arithmetic(fmt, cast, as_values)
    table: _Array = code_table(fmt, cast)
    if as_values:
        table = _rounded_table(fmt, cast)

    def convert(chunk: _Array, target: _Array, scratch: _Array) -> None:
        single = _to_float32(chunk, cast)
        index = scratch[: single.size]
        table_index(single.view(np.uint32), shift, index)  # type: ignore[arg-type]
        table.take(index, mode="wrap", out=target)  # type: ignore[call-overload]

    return convert


def _by_arithmetic(fmt: Format, cast: Cast, as_values: bool) -> _Convert:
    def convert(chunk: _Array, target: _Array, _: _Array) -> None:
        codes = encode_float64(_first(chunk, cast), fmt, cast)
        target[:] = decode(codes, fmt) if as_values else codes

    return convert


def _to_float32(chunk: _Array, cast: Cast) -> npt.NDArray[np.float32]:
    """Return float32 values that lead to the same codes as the chunk's."""
    if chunk.dtype == np.float32 and cast.via in (None, FP32):
        return np.ascontiguousarray(chunk, np.float32)
    if cast.via is not None:
        return round_to(chunk, cast.via, _FIRST_ROUNDING)
    if chunk.dtype == np.float16 or chunk.dtype.itemsize < 3:
        return chunk.astype(np.float32)
    return jam_float64(_to_float64(chunk))


def _first(chunk: _Array, cast: Cast) -> npt.NDArray[np.float64]:
    """Return the chunk in float64 after its first rounding, if it has one."""
    if cast.via is not None:
        return round_to(chunk, cast.via, _FIRST_ROUNDING).astype(np.float64)
    return _to_float64(chunk)


def _to_float64(chunk: _Array) -> npt.NDArray[np.float64]:
    """Return the chunk in float64; integers beyond 2**53 rounded to odd."""
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
        wide = chunk.astype(np.float64)
    if chunk.dtype.kind in "iu" and chunk.dtype.itemsize == 8:
        magnitude = np.abs(chunk.astype(object))
        exact = np.array([int(v) for v in np.abs(wide)], dtype=object)
        bits = wide.view(np.uint64)
        bits -= (exact > magnitude).astype(np.uint64)
        bits |= (exact != magnitude).astype(np.uint64)
    return wide


def _in_chunks(convert: _Convert, values: _Array, out: _Array) -> npt.NDArray[np.uint8]:
    """Convert chunk by chunk, so that all that is touched stays in the cache."""
    flat, target = values.reshape(-1), out.reshape(-1)
    scratch = np.empty(min(CHUNK, flat.size), np.uint32)
    for part in _chunks(flat.size):
        convert(flat[part], target[part], scratch)
    return out  # type: ignore[return-value]


def _chunks(size: int) -> Iterator[slice]:
    return (slice(i, min(i + CHUNK, size)) for i in range(0, size, CHUNK))


@lru_cache(maxsize=128)
def _value_table(fmt: Format, dtype: np.dtype[np.floating]) -> _Array:
    table = _quietly(fmt.values, dtype)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=64)
def _rounded_table(fmt: Format, cast: Cast) -> _Array:
    table = decode(code_table(fmt, cast), fmt)
    table.flags.writeable = False
    return table


def _quietly(values: _Array, dtype: np.dtype[np.floating]) -> npt.NDArray[np.floating]:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return values.astype(dtype)


def _as_values(x: npt.ArrayLike) -> _Array:
    array = np.asarray(x)
    real = array.dtype.kind in "iu" or array.dtype in (
        np.float16,
        np.float32,
        np.float64,
    )
    if not real:
        raise TypeError(
            f"values must be float16, float32, float64 or integers, not {array.dtype}"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _as_cast(cast: Cast) -> Cast:
    if not isinstance(cast, Cast):
        raise TypeError(f"cast must be a Cast, not {type(cast).__name__}")
    return cast


def _as_random(
    random: npt.ArrayLike | None, cast: Cast, shape: tuple[int, ...]
) -> npt.NDArray[np.unsignedinteger] | None:
    """Return the random bits after checking them, None for a deterministic cast."""
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
