"""The only door between values and codes: `encode`, `decode` and `round_to`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from refnum.formats.arguments import as_cast, as_codes, as_random, as_values
from refnum.formats.arithmetic import encode_float64
from refnum.formats.cast import Cast, MissingNaN, NaNChoice, Saturation
from refnum.formats.catalog import FP32, format
from refnum.formats.format import Format, NaNCodes
from refnum.formats.tables import (
    CHUNK,
    code_table,
    index_shift,
    jam_float64,
    pair_table,
    quietly,
    table_index,
    value_table,
)

__all__ = ["decode", "encode", "round_to"]

_Array = npt.NDArray[np.generic]
_Out = TypeVar("_Out", bound=_Array)
_DEFAULT = Cast()
_FIRST_ROUNDING = Cast(nan=NaNChoice.PAYLOAD, nan_sign=True, saturation=Saturation.NONE)


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
    fmt, values = format(fmt), as_values(x)
    cast = as_cast(cast).resolve(fmt)
    words = as_random(random, cast, values.shape)
    out = np.empty(values.shape, fmt.dtype)
    if words is None:
        convert = _deterministic(fmt, cast)
        return _in_chunks(convert, values, out)
    flat, bits, target = values.reshape(-1), words.reshape(-1), out.reshape(-1)
    for part in _chunks(flat.size):
        target[part] = encode_float64(_first(flat[part], cast), fmt, cast, bits[part])
    return out


def decode(
    codes: npt.ArrayLike,
    fmt: Format | str,
    dtype: npt.DTypeLike = np.float32,
    *,
    out: npt.NDArray[np.floating] | None = None,
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
    out : ndarray, optional
        Where to write the values: C-contiguous, of `dtype` and the shape of `codes`.

    Returns
    -------
    ndarray
        Values of the shape of `codes`; `out`, if given.

    Raises
    ------
    TypeError
        If the codes are no integers or `dtype` is no such type.
    ValueError
        If a code does not fit the format, or values do not fit `out`.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.decode([0x00, 0x7E, 0xFF], rn.E4M3)
    array([  0., 448.,  nan], dtype=float32)
    """
    fmt = format(fmt)
    array = as_codes(codes, fmt)
    kind: np.dtype[np.floating] = np.dtype(dtype)  # type: ignore[assignment]
    if kind not in (np.float16, np.float32, np.float64):
        raise TypeError(f"dtype must be float16, float32 or float64, not {kind}")
    target = np.empty(array.shape, kind) if out is None else out
    fits = target.dtype == kind and target.shape == array.shape
    if not (fits and target.flags.c_contiguous):
        raise ValueError(
            f"out must be contiguous, {kind} of shape {array.shape}, not "
            f"{target.dtype} of shape {target.shape}"
        )
    if fmt == FP32:
        single = np.ascontiguousarray(array, np.uint32).view(np.float32)
        target[...] = quietly(single.reshape(array.shape), kind)
        return target
    in_pairs = array.dtype == np.uint8 and array.size >= CHUNK
    convert = _look_up_pairs(fmt, kind) if in_pairs else _look_up(fmt, kind)
    return _in_chunks(convert, array, target)


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
    resolved = as_cast(cast).resolve(fmt)
    if resolved.rounding.is_stochastic or random is not None or fmt.bits > 16:
        return decode(encode(x, fmt, cast, random=random), fmt).astype(np.float32)
    values = as_values(x)
    convert = _deterministic(fmt, resolved, as_values=True)
    return _in_chunks(convert, values, np.empty(values.shape, np.float32))


_Convert = Callable[[_Array, _Array, _Array], None]


def _deterministic(fmt: Format, cast: Cast, as_values: bool = False) -> _Convert:
    """Return what converts one chunk: ``(values, out, scratch) -> None``."""
    shift = index_shift(fmt)
    # A table holds answers to all inputs; one that raises an error has none.
    may_raise = cast.missing_nan is MissingNaN.ERROR and fmt.nan is NaNCodes.NONE
    if shift is None or may_raise:
        return _by_arithmetic(fmt, cast, as_values)
    table: _Array = code_table(fmt, cast)
    if as_values:
        table = _value_at_index(fmt, cast)

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
        return jam_float64(_first(chunk, cast))
    if chunk.dtype == np.float16 or chunk.dtype.itemsize < 3:
        return chunk.astype(np.float32)
    return jam_float64(_to_float64(chunk))


def _first(chunk: _Array, cast: Cast) -> npt.NDArray[np.float64]:
    """Return the chunk in float64 after its first rounding, if it has one."""
    wide = _to_float64(chunk)
    if cast.via is None:
        return wide
    codes = encode(chunk, cast.via, _FIRST_ROUNDING)
    first = decode(codes, cast.via, np.float64).astype(np.float64, copy=False)
    return np.where(np.isfinite(wide), first, wide)


def _to_float64(chunk: _Array) -> npt.NDArray[np.float64]:
    """Return the chunk in float64; integers beyond 2**53 rounded to odd."""
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
        wide = chunk.astype(np.float64)
    if chunk.dtype.kind in "iu" and (np.abs(wide) >= 2.0**53).any():
        magnitude = np.abs(chunk.astype(object))
        exact = np.array([int(v) for v in np.abs(wide)], dtype=object)
        bits = wide.view(np.uint64)
        bits -= (exact > magnitude).astype(np.uint64)
        bits |= (exact != magnitude).astype(np.uint64)
    return wide


def _in_chunks(convert: _Convert, values: _Array, out: _Out) -> _Out:
    """Convert chunk by chunk, so that all that is touched stays in the cache."""
    flat, target = values.reshape(-1), out.reshape(-1)
    scratch = np.empty(min(CHUNK, flat.size), np.uint32)
    for part in _chunks(flat.size):
        convert(flat[part], target[part], scratch)
    return out


def _chunks(size: int) -> Iterator[slice]:
    return (slice(i, min(i + CHUNK, size)) for i in range(0, size, CHUNK))


def _look_up(fmt: Format, kind: np.dtype[np.floating]) -> _Convert:
    table = value_table(fmt, kind)

    def convert(chunk: _Array, target: _Array, _: _Array) -> None:
        table.take(chunk, mode="wrap", out=target)  # type: ignore[call-overload]

    return convert


def _look_up_pairs(fmt: Format, kind: np.dtype[np.floating]) -> _Convert:
    """Return what decodes two bytes by one look-up."""
    pairs, single = pair_table(fmt, kind), _look_up(fmt, kind)

    def convert(chunk: _Array, target: _Array, scratch: _Array) -> None:
        even = chunk.size & ~1
        two = target[:even].view(pairs.dtype)
        codes = chunk[:even].view(np.uint16)
        pairs.take(codes, mode="wrap", out=two)
        single(chunk[even:], target[even:], scratch)

    return convert


@lru_cache(maxsize=64)
def _value_at_index(fmt: Format, cast: Cast) -> _Array:
    """Return the value of the code at every index, read-only."""
    table = decode(code_table(fmt, cast), fmt)
    table.flags.writeable = False
    return table
