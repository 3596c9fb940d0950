"""Hadamard rotations of consecutive elements, as quantised training uses them.

`size` elements x become x·D·H / sqrt(size) or x·H·D / sqrt(size): H is the Sylvester
matrix, D a diagonal of signs. The rotation spreads an outlier over its neighbours, and
two operands rotated alike have the product of the unrotated ones.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from math import sqrt
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from refnum.blocks.sylvester import (
    butterflies,
    rotate_carefully,
    rotate_fast,
    widest_product,
)
from refnum.formats import Format, format, round_to
from refnum.random.philox import philox4x32

__all__ = ["hadamard", "hadamard_signs", "random_signs"]

_SIZES = tuple(1 << k for k in range(1, 11))
_ORDERS = ("signs_first", "signs_last")
_ARITHMETICS = ("exact", "butterfly")
_CHUNK = 1 << 15  # elements; two float64 buffers of it stay in L2
_NAMED_SIGNS = {"transformer_engine": 0xD7E8}
_FEWEST_BITS, _MOST_BITS = 2, 24  # significands that a stand-in rounds to rightly


def hadamard_signs(name: str = "transformer_engine") -> npt.NDArray[np.int8]:
    """Look up a fixed vector of signs.

    Parameters
    ----------
    name : str
        ``"transformer_engine"``, of size 16, is the only one so far.

    Returns
    -------
    ndarray of int8, shape (size,)
        Signs, +1 and -1.

    Raises
    ------
    ValueError
        If the name is unknown.

    References
    ----------
    Transformer Engine, common/hadamard_transform: the mask 0xD7E8, whose bit i says
    that sign i is negative.

    Examples
    --------
    >>> hadamard_signs().tolist()
    [1, 1, 1, -1, 1, -1, -1, -1, -1, -1, -1, 1, -1, 1, -1, -1]
    """
    if name not in _NAMED_SIGNS:
        raise ValueError(f"no signs named {name!r}; there are {', '.join(_NAMED_SIGNS)}")
    return _signs_of(np.array([_NAMED_SIGNS[name]], "<u4"), 16)


def random_signs(
    size: SupportsIndex,
    seed: SupportsIndex | None = None,
    *,
    words: npt.ArrayLike | None = None,
) -> npt.NDArray[np.int8]:
    """Draw signs from random words, one bit a sign.

    Parameters
    ----------
    size : int
        Number of signs, a size that `hadamard` takes.
    seed : int, optional
        Key of Philox4x32-10, 0 to 2^64 - 1; the words are those of counters 0, 1, ….
    words : array_like of uint32, optional
        The words themselves, at least ``size / 32`` of them, in place of a seed.

    Returns
    -------
    ndarray of int8, shape (size,)
        Sign i is negative where bit ``i % 32`` of word ``i // 32`` is set.

    Raises
    ------
    TypeError
        If there is neither seed nor words, or both, or the words are not uint32.
    ValueError
        If the size or the seed is out of range, or there are too few words.

    Examples
    --------
    >>> random_signs(4, words=np.array([0b0110], np.uint32)).tolist()
    [1, -1, -1, 1]
    >>> random_signs(4, seed=7).tolist() == random_signs(4, seed=7).tolist()
    True
    """
    count = _as_size(size)
    if (seed is None) == (words is None):
        raise TypeError("give a seed or words, one of the two")
    if words is None:
        assert seed is not None
        drawn = _philox_words(-(-count // 32), operator.index(seed))
    else:
        drawn = np.asarray(words).reshape(-1)
        if drawn.dtype != np.uint32:
            raise TypeError(f"words must be uint32, not {drawn.dtype}")
        if 32 * drawn.size < count:
            raise ValueError(f"{count} signs need {-(-count // 32)} words, not {drawn.size}")
    return _signs_of(drawn.astype("<u4"), count)


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
    width = _as_size(size)
    array = _as_values(x)
    diagonal = _as_signs(signs, width)
    target = _as_target(output)
    first = _one_of(order, "order", _ORDERS) == "signs_first"
    exact = _one_of(arithmetic, "arithmetic", _ARITHMETICS) == "exact"
    moved = _axis_last(array, operator.index(axis), width)

    rotate = _rotate_exact if exact else _rotate_butterfly
    flips = diagonal, first != bool(inverse)
    out = np.empty(moved.shape, np.float32)
    runs, start = out.reshape(-1, width), 0
    shape = 2, min(_CHUNK, max(array.size, 1))
    buffers = np.empty(shape, np.float64 if exact else np.float32)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for piece in _pieces(moved):
            chunk = piece.reshape(-1, width)
            stop = start + len(chunk)
            rotate(chunk, flips, buffers[:, : chunk.size], target, runs[start:stop])
            start = stop
    return np.moveaxis(out, -1, axis) if out.ndim else out


_Flips = tuple[npt.NDArray[np.float32] | None, bool]  # the signs; whether they are first


def _rotate_exact(
    chunk: npt.NDArray[Any],
    flips: _Flips,
    buffers: npt.NDArray[Any],
    target: Format | None,
    out: npt.NDArray[np.float32],
) -> None:
    """Write the rotations of `chunk`, shape (runs, size), to `out`."""
    signs, signs_first = flips
    inner = widest_product(chunk.shape[1])
    folded = buffers.reshape(2, -1, len(chunk), inner)
    unfolded = folded.transpose(0, 2, 1, 3)
    shape = unfolded.shape[1:]
    np.copyto(unfolded[0], chunk.reshape(shape))
    if signs is not None and signs_first:
        unfolded[0] *= signs.reshape(shape[1:])
    precision = np.finfo(chunk.dtype).nmant + 1
    result = rotate_fast(folded[0], folded[1], precision)
    if result is None:
        runs = unfolded[0].reshape(chunk.shape)
        values = rotate_carefully(runs).reshape(shape)
    else:
        values = result.transpose(1, 0, 2)
    if signs is not None and not signs_first:
        values *= signs.reshape(shape[1:])
        values += 0.0  # sums of zero stay +0
    if target is None:
        np.copyto(out.reshape(shape), values, casting="same_kind")
    else:
        out.reshape(shape)[...] = round_to(values, target)


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
    x, spare = buffers.reshape(2, size, runs)
    np.copyto(x, chunk.T, casting="same_kind")
    if signs is not None and signs_first:
        x *= signs[:, np.newaxis]
    x, _ = butterflies(x, spare)
    x *= np.float32(1 / sqrt(size))
    if signs is not None and not signs_first:
        x *= signs[:, np.newaxis]
    out[...] = x.T
    if target is not None:
        out[...] = round_to(out, target)


def _pieces(x: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Cut an array, in C order, into pieces of at most a chunk."""
    if x.ndim == 1:
        yield from (x[i : i + _CHUNK] for i in range(0, x.size, _CHUNK))
    elif x.size and x.size // len(x) >= _CHUNK:
        for part in x:
            yield from _pieces(part)
    elif x.size:
        step = _CHUNK // (x.size // len(x))
        yield from (x[i : i + step] for i in range(0, len(x), step))


def _philox_words(count: int, seed: int) -> npt.NDArray[np.uint32]:
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed must be 0 to 2^64 - 1, not {seed}")
    counters = np.zeros((-(-count // 4), 4), np.uint32)
    counters[:, 0] = np.arange(len(counters))
    key = np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint32)
    return philox4x32(counters, key).reshape(-1)


def _signs_of(words: npt.NDArray[np.uint32], size: int) -> npt.NDArray[np.int8]:
    bits = np.unpackbits(words.view(np.uint8), count=size, bitorder="little")
    return np.where(bits, np.int8(-1), np.int8(1))


def _as_size(size: SupportsIndex) -> int:
    width = operator.index(size)
    if width not in _SIZES:
        raise ValueError(f"size must be a power of two, 2 to 1024, not {width}")
    return width


def _as_values(x: npt.ArrayLike) -> npt.NDArray[Any]:
    array = np.asarray(x)
    if array.dtype.kind in "iu":
        exact = array.astype(np.float64)
        if array.dtype.itemsize == 8 and np.any(np.abs(exact) > 2**53):
            raise ValueError("integers beyond 2^53 are not allowed")
        return exact
    if array.dtype not in (np.float16, np.float32, np.float64):
        raise TypeError(
            f"x must be float16, float32, float64 or integers, not {array.dtype}"
        )
    return array


def _as_signs(
    signs: npt.ArrayLike | None, size: int
) -> npt.NDArray[np.float32] | None:
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
