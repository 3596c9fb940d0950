"""Relaxations by name, as recipes write them."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from refnum.nn.gradients.estimators import DGE, GraphcoreDGE
from refnum.nn.gradients.relaxations import (
    ClipMask,
    Relaxation,
    StraightThrough,
    TrustMask,
)
from refnum.nn.gradients.smooth import AsReleased, SigmoidSteps, SplineSteps

__all__ = ["RELAXATIONS", "relaxation"]

RELAXATIONS: dict[str, Callable[..., Relaxation]] = {
    "ste": StraightThrough,
    "clip": ClipMask,
    "trust": TrustMask,
    "dge": DGE,
    "dge_alto": lambda **options: DGE(**{"form": "alto"} | options),
    "dge_graphcore": GraphcoreDGE,
    "dge_as_released": lambda **options: AsReleased(GraphcoreDGE(**options)),
    "sigmoid": SigmoidSteps,
    "sigmoid_as_released": lambda **options: AsReleased(SigmoidSteps(**options)),
    "spline": SplineSteps,
    "spline_as_released": lambda **options: AsReleased(SplineSteps(**options)),
}
"""What makes a relaxation from the fields of its record."""


def relaxation(name: str, **options: Any) -> Relaxation:
    """Return the relaxation of a name.

    Parameters
    ----------
    name : str
        One of `RELAXATIONS`.
    **options
        Fields of the record that differ from its defaults; of a name that ends in
        ``_as_released``, fields of the record behind the mask.

    Returns
    -------
    Relaxation
        A frozen record.

    Raises
    ------
    ValueError
        If the name or a field is unknown, or a field is out of range.

    Examples
    --------
    >>> relaxation("dge", k=3.0).cap
    3.0
    """
    if name not in RELAXATIONS:
        near = get_close_matches(str(name), RELAXATIONS) or RELAXATIONS
        raise ValueError(f"relaxation {name!r} is unknown; try {', '.join(near)}")
    try:
        return RELAXATIONS[name](**options)
    except TypeError as error:
        given = ", ".join(options)
        raise ValueError(
            f"relaxation {name!r} has no options {given}: {error}"
        ) from None
