"""Shapes of the scales that belong to an array, without the array."""

from __future__ import annotations

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.geometry import Geometry
from refnum.blocks.outer import outer_shape

__all__ = ["scales_shape", "tensor_scale_shape"]


def scales_shape(
    shape: tuple[int, ...], block_format: BlockFormat, axis: int = -1
) -> tuple[int, ...]:
    """Return the shape of the scale codes of an array.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    block_format : BlockFormat
        Its format.
    axis : int
        The blocked axis.

    Returns
    -------
    tuple of int
        The array's shape, the blocked axes divided.

    Raises
    ------
    ValueError
        If the axis does not exist, or a tile needs a second one.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.blocks.scales_shape((3, 100), rn.MXFP4)
    (3, 4)
    """
    return Geometry.of(shape, axis, block_format).scale_shape


def tensor_scale_shape(
    shape: tuple[int, ...], block_format: BlockFormat, axis: int = -1
) -> tuple[int, ...] | None:
    """Return the shape of the tensor scale of an array, None for a format without.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    block_format : BlockFormat
        Its format.
    axis : int
        The blocked axis.

    Returns
    -------
    tuple of int or None
        () for one scale of the whole tensor; else rows, and runs within a row.

    Raises
    ------
    ValueError
        If the axis does not exist, or a tile needs a second one.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.blocks.tensor_scale_shape((3, 100), rn.NVFP4)
    ()
    """
    if block_format.tensor_scale is None:
        return None
    return outer_shape(Geometry.of(shape, axis, block_format), block_format)
