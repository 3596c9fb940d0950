"""Hadamard rotations of consecutive elements, as quantised training uses them.

`size` elements x become x·D·H / sqrt(size) or x·H·D / sqrt(size): H is the Sylvester
matrix, D a diagonal of signs. The rotation spreads an outlier over its neighbours, and
two operands rotated alike have the product of the unrotated ones.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from math import prod
from typing import Any, SupportsIndex, TypeGuard

import numpy as np
import numpy.typing as npt

from refnum._buffers import Buffers
from refnum.blocks.across import MOST_NARROW, rotate_slabs
from refnum.blocks.rotations import ARITHMETICS, Flips
from refnum.blocks.signs import as_size
from refnum.formats import Format, format

__all__ = ["hadamard"]

_ORDERS = ("signs_first", "signs_last")
_BUFFERS = Buffers()
_NARROW_CHUNK = 1 << 17  # elements at a time: many calls for each
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
        ``"sequential"``: float32 sums of 32 signed elements (or of the whole run) in
        index order from +0, as a float32 matrix product has them; butterflies join
        longer runs; then the same product with float32(size^-0.5). Both round `x` to
        float32 first.
    output : Format or str, optional
        Round to this format instead of float32, to nearest even: from the exact value
        (``BF16``: what Transformer Engine aims at), or from the float32 of the others.
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
    way = ARITHMETICS[_one_of(arithmetic, "arithmetic", tuple(ARITHMETICS))]
    moved = _axis_last(array, operator.index(axis), width)

    if not array.size:
        return np.empty(array.shape, np.float32)
    flips = diagonal, first != bool(inverse)
    if arithmetic == "exact" and array.dtype == np.float32 and _is_narrow(target):
        return _as_it_lies(array, axis, width, flips, target)
    out = np.empty(moved.shape, np.float32)
    runs, start = out.reshape(-1, width), 0
    most = way.chunk
    buffers = _BUFFERS.take("both", (2, min(most, array.size)), way.precision)
    native = array.dtype.newbyteorder("=")
    flat = moved.reshape(-1) if moved.flags.c_contiguous else moved
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for piece in _pieces(flat, most):
            chunk = piece.reshape(-1, width).astype(native, copy=False)
            stop = start + len(chunk)
            spare = buffers.reshape(-1)[: 2 * chunk.size].reshape(2, *chunk.shape)
            way.rotate(chunk, flips, spare, target, runs[start:stop])
            start = stop
    return np.moveaxis(out, -1, axis) if out.ndim else out


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
    flips: Flips,
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
            laid.reshape(shape), *flips, target, _NARROW_CHUNK, out.reshape(shape)
        )
    return out


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
