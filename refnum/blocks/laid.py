"""An array in slabs, with what stands above its blocks: ready for the passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.geometry import Geometry
from refnum.blocks.maxima import block_maxima
from refnum.blocks.outer import (
    amax_above,
    block_references,
    outer_scales,
    tensor_scale,
)
from refnum.blocks.slabs import Slabs

__all__ = ["Laid", "lay_out", "slabs_of"]

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Laid:
    """An array in slabs, and what stands above its blocks.

    Parameters
    ----------
    values : ndarray of float32, shape `slabs.shape`
        The array.
    slabs : Slabs
        Its blocks.
    amax : ndarray of float32, optional
        The largest magnitudes above the blocks.
    reference, outer : ndarray of float32, shape `slabs.block_shape` or ()
        What each block is measured by, and the decode scale above it.
    maxima : ndarray of float32, shape `slabs.block_shape`, optional
        The largest magnitudes of the blocks, if they are known already.
    """

    values: Singles
    slabs: Slabs
    amax: Singles | None
    reference: Singles
    outer: Singles
    maxima: Singles | None


def slabs_of(geometry: Geometry, fmt: BlockFormat) -> Slabs | None:
    """Return the slabs of an array; None where the format or the shape has none."""
    by_rows = fmt.tensor_scale is not None and fmt.tensor_scale.span != "tensor"
    if by_rows and geometry.axis != len(geometry.shape) - 1:
        return None  # what belongs to rows is not in the order of the array
    if fmt.levels or fmt.alternate is not None:
        return None
    return Slabs.of(geometry)


def lay_out(
    x: Singles, geometry: Geometry, fmt: BlockFormat, tensor_amax: npt.ArrayLike | None
) -> Laid | None:
    """Return an array in slabs; None where the format or the shape has none."""
    slabs = slabs_of(geometry, fmt)
    if slabs is None or fmt.rule.statistic != "amax":
        return None
    values = np.ascontiguousarray(x).reshape(slabs.shape)
    maxima = None
    if fmt.tensor_scale is not None and tensor_amax is None:
        maxima = block_maxima(values, slabs)
    amax = amax_above(maxima, geometry, fmt, tensor_amax)
    reference = block_references(amax, geometry, fmt)
    outer = outer_scales(tensor_scale(amax, fmt), geometry, fmt)
    if reference.ndim:
        reference = reference.reshape(slabs.block_shape)
        outer = outer.reshape(slabs.block_shape)
    return Laid(values, slabs, amax, reference, outer, maxima)
