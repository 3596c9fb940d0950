"""Formats whose encoding is chosen by error: of the literature, by name.

Four over six maps a block's largest magnitude to 6 or to 4, where the grid of E2M1 is
denser in relation. IF4 and MixFP4 keep the map and change the grid: E2M1 or a uniform
one, as the top bit of the scale says. The search over neighbouring scales serves every
format with powers of two.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from refnum.blocks.arithmetic import EXACT, FOUR_OVER_SIX
from refnum.blocks.block_format import BlockFormat, TensorScale
from refnum.blocks.choice import ChosenFormat
from refnum.blocks.measures import Measure
from refnum.blocks.presets import MXFP4, NVFP4
from refnum.blocks.reciprocal import approximate_reciprocal
from refnum.blocks.rule import FLOOR, ScaleRule
from refnum.blocks.steps import (
    F32,
    ONE,
    Arithmetic,
    Floats,
    clamped_reciprocal,
    scale_from_amax,
    scale_is_reference,
    single,
)
from refnum.formats import E1M2, INT4, Cast

__all__ = [
    "MXFP4_SSE",
    "NVFP4_FOUR_OVER_SIX",
    "NVFP4_FOUR_OVER_SIX_16X16",
    "NVFP4_FOUR_OVER_SIX_QUARTET_II",
    "NVFP4_IF4",
    "NVFP4_MIXFP4",
    "four_over_six",
]

_TO_FOUR = Arithmetic(
    "four_over_six_to_four",
    FOUR_OVER_SIX.reference,
    ratio=lambda amax, S, unit: FOUR_OVER_SIX.ratio(amax, S, 1.5 * unit) * F32(1.5),
    factor=clamped_reciprocal,
    tensor_scale=scale_from_amax,
    steps=(
        FOUR_OVER_SIX.steps[0],
        "t = ((amax / (1.5 * unit)) * S) * 1.5",
        FOUR_OVER_SIX.steps[2],
    ),
)


def _quartet_reference(amax: Floats, unit: float, limit: float) -> Floats:
    """Return amax * (1 / 256) * rcp(6) for both maps, whose limit * unit is 6 * 256."""
    share = amax * single(6 / (limit * unit))
    return np.where(amax == 0, ONE, share * approximate_reciprocal(single(6)))


_QUARTET_II = Arithmetic(
    "quartet_ii",
    _quartet_reference,
    ratio=lambda amax, s, unit: (
        (amax * approximate_reciprocal(single(unit))) * approximate_reciprocal(s)
    ),
    factor=lambda scale, s, _: approximate_reciprocal(scale * s),
    tensor_scale=scale_is_reference,
    steps=(
        "s = (tensor amax * (6 / (limit * unit))) * rcp(6)",
        "t = (amax * rcp(unit)) * rcp(s)",
        "y = x * rcp(scale * s)",
    ),
)


def four_over_six(
    limit: float = 256.0, error: str = "mse", block: int | tuple[int, int] = 16
) -> ChosenFormat:
    """Return NVFP4 whose blocks map their largest magnitude to 6 or to 4.

    Parameters
    ----------
    limit : float
        The scale that the tensor's largest magnitude is mapped to, if to 6: 256 leaves
        room for the scale that maps it to 4, with 448 that scale saturates.
    error : str
        ``"mse"``, ``"mae"`` or ``"amax"``. Where both maps are as good, 6 is taken.
    block : int or tuple of two ints
        Elements, or a tile, that share a scale.

    Returns
    -------
    ChosenFormat
        In Transformer Engine's order of operations.

    Raises
    ------
    ValueError
        If there is no such error, or the limit or the block is none.

    References
    ----------
    Cook et al., "Four Over Six", arXiv 2512.02010. NVIDIA Transformer Engine,
    quantize_4over6_nvfp4.cuh; its kernel knows ``"mse"`` and ``"mae"``.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.quantize([3.0, 4.0], rn.blocks.four_over_six()).codes.tolist()
    [5, 6]
    """
    if not 0 < limit < inf:
        raise ValueError(f"limit is {limit}; it must be positive and finite")
    six = replace(
        NVFP4,
        rule=ScaleRule("to_six", arithmetic=FOUR_OVER_SIX),
        tensor_scale=TensorScale(limit),
        block=block,
        name="nvfp4_to_six",
    )
    four = replace(
        six,
        rule=ScaleRule("to_four", arithmetic=_TO_FOUR, unit=4.0),
        tensor_scale=TensorScale(1.5 * limit),
        name="nvfp4_to_four",
    )
    measure = Measure(error, "transformer_engine")
    return ChosenFormat((six, four), measure, "nvfp4_four_over_six")


NVFP4_FOUR_OVER_SIX = four_over_six()
NVFP4_FOUR_OVER_SIX_16X16 = replace(
    four_over_six(block=(16, 16)), name="nvfp4_four_over_six_16x16"
)


def _quartet(unit: float) -> BlockFormat:
    rule = ScaleRule("quartet_ii", arithmetic=_QUARTET_II, unit=unit, zero_scale_as=1.0)
    outer = TensorScale(1536 / unit)
    return replace(NVFP4, rule=rule, tensor_scale=outer, name=f"nvfp4_quartet_{unit:g}")


NVFP4_FOUR_OVER_SIX_QUARTET_II = ChosenFormat(
    (_quartet(6.0), _quartet(4.0)),
    Measure("mse", "quartet_ii"),
    "nvfp4_four_over_six_quartet_ii",
)
"""The kernel of arXiv 2601.22813, built with approximate division."""

_FLOAT = replace(
    NVFP4,
    rule=ScaleRule("if4", arithmetic=FOUR_OVER_SIX, zero_scale_as=inf),
    element_cast=Cast(symmetric=True),
    name="nvfp4_if4_float",
)
NVFP4_IF4 = ChosenFormat(
    (
        _FLOAT,
        replace(_FLOAT, alternate=INT4, alternate_factor=24 / 7, name="nvfp4_if4_int"),
    ),
    Measure("mse", "transformer_engine"),
    "nvfp4_if4",
)
"""E2M1, or integers of -7 to 7 times 6/7: both reach 6 (arXiv 2603.28765)."""

_TE = NVFP4.rule
NVFP4_MIXFP4 = ChosenFormat(
    (
        NVFP4,
        replace(
            NVFP4,
            rule=replace(_TE, name="mixfp4", unit=7.0),
            tensor_scale=TensorScale(384.0),
            alternate=E1M2,
            alternate_factor=4.0,
            name="nvfp4_mixfp4_uniform",
        ),
    ),
    Measure("mse", "float64"),
    "nvfp4_mixfp4",
)
"""E2M1 or E1M2, each with a scale of its own (after arXiv 2605.31035).

The abstract fixes the two grids, the flag and that both decode to E2M2, whose largest
value is 7. That E1M2 counts 0 to 7 there, and the squared error, are refnum's reading.
"""


def _power(unit: float) -> BlockFormat:
    rule = replace(FLOOR, arithmetic=EXACT, name=f"floor_to_{unit:g}", unit=unit)
    return replace(MXFP4, rule=rule, name=f"mxfp4_to_{unit:g}")


MXFP4_SSE = ChosenFormat((MXFP4, _power(2.0), _power(8.0)), name="mxfp4_sse")
"""The scale of `FLOOR`, or the next or previous power of two, by squared error."""
