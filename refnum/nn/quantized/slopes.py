"""The gradient on its way back through an operand's rounding, and its scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import BlockFormat
from refnum.formats import Format
from refnum.nn.gradients.block_pass import element_steps
from refnum.nn.gradients.named_relaxations import relaxation
from refnum.nn.gradients.relaxations import Relaxation
from refnum.nn.gradients.released_gradients import RELEASED_SCALE_LEVELS
from refnum.nn.gradients.scale_gradients import ScaleGradient, quantize_vjp
from refnum.nn.quantized.operands import Taken
from refnum.recipes import Operand

__all__ = ["relaxation_of", "scale_gradient_of", "through_rounding"]


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
    if not operand.slope.scale.is_plain:
        scale = scale_gradient_of(operand)
        held = operand.amax.kind != "current"
        single = np.ascontiguousarray(gradient, np.float32)
        return quantize_vjp(
            single, taken.source, q, element=chosen, scale=scale, held=held
        )
    with np.errstate(all="ignore"):
        scaled = taken.source / element_steps(q)
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


def scale_gradient_of(operand: Operand) -> ScaleGradient:
    """Return what of an operand's gradient goes through its scales.

    Raises
    ------
    ValueError
        If a record has no such options, or its scale's format no released levels.
    """
    said = operand.slope.scale
    levels = None
    if said.levels == "released":
        fmt = operand.format
        name = fmt.scale.name if isinstance(fmt, BlockFormat) else None
        if name not in RELEASED_SCALE_LEVELS:
            known = ", ".join(RELEASED_SCALE_LEVELS)
            raise ValueError(f"released levels are those of {known}, not of {name}")
        levels = RELEASED_SCALE_LEVELS[name]
    return ScaleGradient(
        said.block,
        said.extent,
        said.ties,
        relaxation(said.kind, **dict(said.options)),
        levels,
        said.alpha,
        said.tensor,
    )
