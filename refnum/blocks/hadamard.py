"""Hadamard rotations of consecutive elements, as quantised training uses them.

`size` elements x become x·D·H / sqrt(size) or x·H·D / sqrt(size): H is the Sylvester
matrix, D a diagonal of signs. The rotation spreads an outlier over its neighbours, and
two operands rotated alike have the product of the unrotated ones.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from math import prod, sqrt
from typing import Any, SupportsIndex, TypeGuard

import numpy as np
import numpy.typing as npt

from refnum.blocks.across import MOST_NARROW, rotate_slabs
from refnum.blocks.signs import as_size
from refnum.blocks.sylvester import (
    Span,
    butterflies_of_runs,
    rotate_carefully,
    rotate_fast,
    round_significand,
    span_of,
    swap_runs,
)
from refnum.formats import FP32, Format, format, round_to

__all__ = ["hadamard"]

_ORDERS = ("signs_first", "signs_last")
_ARITHMETICS = ("exact", "butterfly")
_HALVINGS = 5  # of the smallest sum, at most: 1 / sqrt(1024)
# Elements at a time, whose two buffers of float64, or float32, stay in L2.
_EXACT_CHUNK, _BUTTERFLY_CHUNK = 1 << 15, 1 << 17
_MOST_BITS = 24  # the widest significand that a stand-in rounds to rightly


def hadamard(
    x: npt.ArrayLike,
    size: SupportsIndex,
    *,
    signs: npt.ArrayLike | None = None,
    axis: SupportsIndex = -1,
    order: str = "signs_first",
    arithmetic: str = "exact",
    output: Format | str | None = None,
    inverse: bool = False,
) -> npt.NDArray[np.float32]:
    """Rotate each run of `size` elements by the normalised Sylvester matrix.

    Parameters
    ----------
    x : array_like
        Real numbers; the length of `axis` is a multiple of `size`.
    size : int
        A power of two, 2 to 1024.
    signs : array_like, shape (size,), optional
        The diagonal of D, +1 and -1; without it, D is the identity.
    axis : int
        The axis along which the runs lie.
    order : str
        ``"signs_first"``, x·D·H (signs flip inputs: Transformer Engine); or
        ``"signs_last"``, x·H·D (signs flip outputs: Quartet's backward pass).
    arithmetic : str
        ``"exact"``: the exact sum over sqrt(size), correctly rounded once. A sum of
        zero gives +0. ``"butterfly"``: float32 sums and differences in ascending
        stride, then one product with float32(size^-0.5), as fast-hadamard-transform.
    output : Format or str, optional
        Round to this format instead of float32, to nearest even: from the exact value
        (``BF16``: what Transformer Engine aims at), or from the butterflies' float32.
        Its significand has at most 24 bits.
    inverse : bool
        Undo the rotation with the same arguments: signs change ends.

    Returns
    -------
    ndarray of float32
        The rotated values, of the shape of `x`. The bits depend neither on the BLAS
        and its threads nor on the memory layout of `x`.

    Raises
    ------
    TypeError
        If `x` holds no real numbers, or signs of a type other than numbers.
    ValueError
        If an argument is none of the allowed, or a run is cut short.

    Notes
    -----
    A NaN makes its whole run NaN. An infinity goes to all results of its run, NaN where
    two of opposite sign meet. Results beyond float32 are infinite. The inverse recovers
    `x` where the rotation was exact: `size` a power of four, and enough spare bits.

    References
    ----------
    Transformer Engine, common/hadamard_transform; Dao-AILab/fast-hadamard-transform;
    Castro et al., "Quartet", arXiv 2505.14669, section 4.

    Examples
    --------
    >>> hadamard([1, 2, 3, 4], 4)
    array([ 5., -1., -2.,  0.], dtype=float32)
    >>> hadamard([5, -1, -2, 0], 4, inverse=True)
    array([1., 2., 3., 4.], dtype=float32)
    """
    width = as_size(size)
    array = _as_values(x)
    diagonal = _as_signs(signs, width)
    target = _as_target(output)
    first = _one_of(order, "order", _ORDERS) == "signs_first"
    exact = _one_of(arithmetic, "arithmetic", _ARITHMETICS) == "exact"
    moved = _axis_last(array, operator.index(axis), width)

    flips = diagonal, first != bool(inverse)
    if exact and array.dtype == np.float32 and _is_narrow(target):
        return _as_it_lies(array, axis, width, flips, target)
    rotate = _rotate_exact if exact else _rotate_butterfly
    out = np.empty(moved.shape, np.float32)
    runs, start = out.reshape(-1, width), 0
    most = _EXACT_CHUNK if exact else _BUTTERFLY_CHUNK
    shape = 2, min(most, max(array.size, 1))
    buffers = np.empty(shape, np.float64 if exact else np.float32)
    native = array.dtype.newbyteorder("=")
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for piece in _pieces(moved, most):
            chunk = piece.reshape(-1, width).astype(native, copy=False)
            stop = start + len(chunk)
            rotate(chunk, flips, buffers[:, : chunk.size], target, runs[start:stop])
            start = stop
    return np.moveaxis(out, -1, axis) if out.ndim else out


# The signs, and whether they come first.
_Flips = tuple[npt.NDArray[np.float32] | None, bool]


def _is_narrow(target: Format | None) -> TypeGuard[Format]:
    """Whether float32 has the exponents of a format, and many more bits."""
    return (
        target is not None
        and target.exponent_bits == 8
        and target.infinity
        and target.mantissa_bits < MOST_NARROW
    )


def _as_it_lies(
    x: npt.NDArray[np.float32],
    axis: SupportsIndex,
    size: int,
    flips: _Flips,
    target: Format,
) -> npt.NDArray[np.float32]:
    """Rotate an array in its own order in memory: the result has the same."""
    place = operator.index(axis) % x.ndim
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        return _as_it_lies(x.T, x.ndim - 1 - place, size, flips, target).T
    laid = np.ascontiguousarray(x)
    out = np.empty(laid.shape, np.float32)
    shape = laid.size // (size * (after := prod(laid.shape[place + 1 :]))), size, after
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        rotate_slabs(
            laid.reshape(shape), *flips, target, _EXACT_CHUNK, out.reshape(shape)
        )
    return out


def _rotate_exact(
    chunk: npt.NDArray[Any],
    flips: _Flips,
    buffers: npt.NDArray[Any],
    target: Format | None,
    out: npt.NDArray[np.float32],
) -> None:
    """Write the rotations of `chunk`, shape (runs, size), to `out`."""
    signs, signs_first = flips
    x, spare = buffers.reshape(2, *chunk.shape)
    span = span_of(chunk, spare.view(np.uint8).reshape(-1)[: chunk.nbytes])
    np.copyto(x, chunk)
    if signs is not None and signs_first:
        x *= signs
    fast = rotate_fast(x, spare, span) if span else None
    values: npt.NDArray[np.floating[Any]]  # (outer, runs, inner)
    values = rotate_carefully(x)[np.newaxis] if fast is None else fast
    if signs is not None and not signs_first:
        values *= signs.reshape(len(values), 1, -1)
        values += 0.0  # sums of zero stay +0
    if target is not None:
        if target.exponent_bits == 8 and target.infinity and _is_normal(span):
            round_significand(np.asarray(values, np.float64), target.mantissa_bits + 1)
        else:
            values = round_to(values, target)
    _write(values, out)


def _is_normal(span: Span | None) -> bool:
    """Whether no result is subnormal in a format of float32's exponents."""
    return span is not None and span.bottom - _HALVINGS >= FP32.emin


def _rotate_butterfly(
    chunk: npt.NDArray[Any],
    flips: _Flips,
    buffers: npt.NDArray[Any],
    target: Format | None,
    out: npt.NDArray[np.float32],
) -> None:
    """Write the rotations of `chunk`, shape (runs, size), to `out`."""
    signs, signs_first = flips
    runs, size = chunk.shape
    x, spare = buffers.reshape(2, runs, size)
    np.copyto(x, chunk, casting="same_kind")
    if signs is not None and signs_first:
        x *= signs
    x = butterflies_of_runs(x, spare)
    x *= np.float32(1 / sqrt(size))
    if signs is not None and not signs_first:
        x *= signs.reshape(len(x), 1, -1)
    _write(x, out)
    if target is not None:
        out[...] = round_to(out, target)


def _write(x: npt.NDArray[Any], out: npt.NDArray[np.float32]) -> None:
    """Copy values (outer, runs, inner), each run in pieces, to (runs, size)."""
    outer, runs, inner = x.shape
    if 1 in (outer, runs):
        np.copyto(out, x.reshape(out.shape), casting="same_kind")
    else:
        narrow = x.astype(np.float32, copy=False)
        swap_runs(narrow, out.reshape(runs, outer, inner))


def _pieces(x: npt.NDArray[Any], most: int) -> Iterator[npt.NDArray[Any]]:
    """Cut an array, in C order, into pieces of at most so many elements."""
    if x.ndim == 1:
        yield from (x[i : i + most] for i in range(0, x.size, most))
    elif x.size and x.size // len(x) >= most:
        for part in x:
            yield from _pieces(part, most)
    elif x.size:
        step = most // (x.size // len(x))
        yield from (x[i : i + step] for i in range(0, len(x), step))


def _as_values(x: npt.ArrayLike) -> npt.NDArray[Any]:
    array = np.asarray(x)
    if array.dtype.kind in "iu":
        exact = array.astype(np.float64)
        if array.dtype.itemsize == 8 and np.any(np.abs(exact) >= 2**53):
            raise ValueError("integers must be below 2^53 in magnitude")
        return exact
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise TypeError(
            f"x must be float16, float32, float64 or integers, not {array.dtype}"
        )
    return array


def _as_signs(signs: npt.ArrayLike | None, size: int) -> npt.NDArray[np.float32] | None:
    if signs is None:
        return None
    array = np.asarray(signs)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"signs must be numbers, not {array.dtype}")
    if array.shape != (size,) or not np.all(np.abs(array) == 1):
        raise ValueError(f"signs must be {size} of +1 and -1, not {signs!r}")
    return array.astype(np.float32)


def _as_target(output: Format | str | None) -> Format | None:
    if output is None:
        return None
    target = format(output)
    if target.mantissa_bits >= _MOST_BITS:
        raise ValueError(f"output {target} has more than {_MOST_BITS} significand bits")
    return target


def _axis_last(x: npt.NDArray[Any], axis: int, size: int) -> npt.NDArray[Any]:
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis {axis} is none of an array of {x.ndim} dimensions")
    if x.shape[axis] % size:
        raise ValueError(
            f"axis {axis} has {x.shape[axis]} elements: not a multiple of {size}"
        )
    return np.moveaxis(x, axis, -1)


def _one_of(value: str, name: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; {' or '.join(allowed)} is allowed")
    return value
