"""The scale above the blocks': of a tensor, a row, or a run of blocks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.geometry import Geometry
from refnum.blocks.scaling import largest

__all__ = [
    "amax_above",
    "block_references",
    "outer_amax",
    "outer_scales",
    "outer_shape",
    "per_block",
    "tensor_scale",
]

Singles = npt.NDArray[np.float32]

_CHUNK = 1 << 16  # elements


def outer_amax(
    blocks: Singles,
    geometry: Geometry,
    fmt: BlockFormat,
    given: npt.ArrayLike | None = None,
) -> Singles | None:
    """Return the largest magnitudes above the blocks, None without such a scale.

    The shape is () for a tensor, (rows,) for rows and (rows, runs) for runs of blocks.
    """
    maxima = None
    if fmt.tensor_scale is not None and given is None:
        maxima = np.empty(len(blocks), np.float32)
        for part in _chunks(blocks):
            maxima[part] = largest(blocks[part])
    return amax_above(maxima, geometry, fmt, given)


def amax_above(
    maxima: Singles | None,
    geometry: Geometry,
    fmt: BlockFormat,
    given: npt.ArrayLike | None = None,
) -> Singles | None:
    """Return what `outer_amax` does, from the largest magnitudes of the blocks."""
    if fmt.tensor_scale is None:
        if given is not None:
            raise ValueError(f"{fmt} has no tensor scale; tensor_amax has no meaning")
        return None
    span = fmt.tensor_scale.span
    per_row = geometry.blocks_per_row
    if given is not None:
        return _as_amax(given, outer_shape(geometry, fmt))
    assert maxima is not None
    if span == "tensor":
        return np.asarray(np.max(maxima, initial=0), np.float32)
    each = maxima.reshape(_rows(geometry), per_row)
    if isinstance(span, str):
        return np.asarray(np.max(each, axis=1, initial=0), np.float32)
    starts = np.arange(0, per_row, _blocks_per_run(span, geometry))
    if not each.size:
        return np.zeros(outer_shape(geometry, fmt), np.float32)
    return np.asarray(np.maximum.reduceat(each, starts, axis=1))


def block_references(
    amax: Singles | None, geometry: Geometry, fmt: BlockFormat
) -> Singles:
    """Return each block's reference, or one for all."""
    if amax is None or fmt.tensor_scale is None:
        return np.ones((), np.float32)
    unit = fmt.rule.unit_of(fmt.element)
    with np.errstate(all="ignore"):
        reference = fmt.rule.arithmetic.reference(amax, unit, fmt.tensor_scale.limit)
    return per_block(np.asarray(reference, np.float32), geometry, fmt)


def tensor_scale(amax: Singles | None, fmt: BlockFormat) -> np.float32 | Singles | None:
    """Return the decode scale above the blocks."""
    if amax is None or fmt.tensor_scale is None:
        return None
    unit, limit = fmt.rule.unit_of(fmt.element), fmt.tensor_scale.limit
    arithmetic = fmt.rule.arithmetic
    with np.errstate(all="ignore"):
        reference = arithmetic.reference(amax, unit, limit)
        scale = np.asarray(arithmetic.tensor_scale(amax, reference, unit, limit))
    return scale.astype(np.float32)[()]


def outer_scales(
    scale: np.float32 | Singles | None, geometry: Geometry, fmt: BlockFormat
) -> Singles:
    """Return the decode scale above each block, or one for all."""
    if (scale is None) != (fmt.tensor_scale is None):
        missing = "needs" if scale is None else "has no"
        raise ValueError(f"{fmt} {missing} tensor scale; {scale!r} is given")
    if scale is None:
        return np.ones((), np.float32)
    outer, shape = np.asarray(scale, np.float32), outer_shape(geometry, fmt)
    if outer.shape not in ((), shape):
        raise ValueError(f"the tensor scale has shape {outer.shape}; {shape} is needed")
    return per_block(outer, geometry, fmt)


def per_block(outer: Singles, geometry: Geometry, fmt: BlockFormat) -> Singles:
    """Return what belongs to a tensor, row or run, one for each block or one for all."""
    assert fmt.tensor_scale is not None
    per_row = geometry.blocks_per_row
    if outer.ndim == 0:
        return outer
    if outer.ndim == 1:
        return np.repeat(outer, per_row)
    assert isinstance(fmt.tensor_scale.span, int)
    run = np.arange(per_row) // _blocks_per_run(fmt.tensor_scale.span, geometry)
    return outer[:, run].reshape(-1)


def outer_shape(geometry: Geometry, fmt: BlockFormat) -> tuple[int, ...]:
    """Return the shape of the scales above the blocks', for a format that has them."""
    assert fmt.tensor_scale is not None
    span = fmt.tensor_scale.span
    if span == "tensor":
        return ()
    if isinstance(span, str):
        return (_rows(geometry),)
    runs = -(-geometry.blocks_per_row // _blocks_per_run(span, geometry))
    return (_rows(geometry), runs)


def _rows(geometry: Geometry) -> int:
    per_row = geometry.blocks_per_row
    return math.prod(geometry.scale_shape) // per_row if per_row else 0


def _blocks_per_run(span: int, geometry: Geometry) -> int:
    size = geometry.tile[1]
    if span % size:
        raise ValueError(f"an outer block of {span} elements is no multiple of {size}")
    return span // size


def _as_amax(given: npt.ArrayLike, shape: tuple[int, ...]) -> Singles:
    amax = np.asarray(given, np.float32)
    if amax.shape not in ((), shape):
        raise ValueError(f"tensor_amax has shape {amax.shape}; {shape} is needed")
    if not np.all(amax >= 0):
        raise ValueError(f"tensor_amax is {given!r}; it must not be negative or NaN")
    return np.broadcast_to(amax, shape)


def _chunks(blocks: npt.NDArray[Any]) -> list[slice]:
    length = max(1, _CHUNK // blocks.shape[1])
    return [slice(i, i + length) for i in range(0, len(blocks), length)]
