"""The gradient on its way back through an operand's rounding, and its scales."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import BlockFormat, Quantized, dequantize
from refnum.formats import Format, encode
from refnum.nn.named_relaxations import relaxation
from refnum.nn.operands import Taken
from refnum.nn.relaxations import Relaxation
from refnum.nn.scale_gradients import ScaleGradient, quantize_vjp
from refnum.recipes import Operand

__all__ = ["elementwise_scales", "relaxation_of", "through_rounding"]

Single = npt.NDArray[np.float32]


def through_rounding(
    gradient: npt.NDArray[np.floating[Any]], taken: Taken, operand: Operand | None
) -> npt.NDArray[np.floating[Any]]:
    """Return the gradient of what was quantised from that of its values.

    Parameters
    ----------
    gradient : ndarray
        In the shape and the coordinates of the operand.
    taken : Taken
        A forward operand, with its codes where the slope is not plain.
    operand : Operand or None
        What the recipe says about it.

    Returns
    -------
    ndarray
        The gradient times the slope of each element, and what goes through scales.
    """
    if operand is None or operand.slope.is_plain:
        return gradient
    chosen = relaxation_of(operand)
    if isinstance(operand.format, Format):
        return _times(gradient, chosen.slope(taken.source, operand.format))
    assert taken.quantized is not None
    q = taken.quantized
    if operand.slope.scale:
        scale = ScaleGradient(**dict(operand.slope.scale))  # type: ignore[arg-type]
        held = operand.amax.kind != "current"
        single = np.ascontiguousarray(gradient, np.float32)
        return quantize_vjp(
            single, taken.source, q, element=chosen, scale=scale, held=held
        )
    with np.errstate(all="ignore"):
        scaled = taken.source / elementwise_scales(q)
    scaled = np.where(np.isfinite(scaled), scaled, np.float32(0))
    return _times(gradient, chosen.slope(scaled, q.format.element))


def _times(
    gradient: npt.NDArray[np.floating[Any]], slope: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.floating[Any]]:
    with np.errstate(over="ignore", invalid="ignore"):
        return gradient * slope.astype(np.float32, copy=False)


def relaxation_of(operand: Operand) -> Relaxation:
    """Return what stands in for the rounding of an operand's elements.

    Raises
    ------
    ValueError
        If its record has no such options.
    """
    return relaxation(operand.slope.kind, **dict(operand.slope.options))


def elementwise_scales(q: Quantized) -> Single:
    """Return what each element's code is multiplied by, in the shape of the array.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.nn.slopes import elementwise_scales
    >>> elementwise_scales(rn.quantize([3.0, 24.0], rn.MXFP4))
    array([4., 4.], dtype=float32)
    """
    fmt: BlockFormat = replace(q.format, alternate=None)
    one = encode(1.0, fmt.element)
    codes = np.full(q.codes.shape, one, q.codes.dtype)
    flag = q.scales.dtype.type(1 << fmt.scale.bits) if q.format.alternate else None
    scales = q.scales if flag is None else q.scales & ~flag
    return np.asarray(
        dequantize(replace(q, codes=codes, scales=scales, format=fmt)), np.float32
    )
