"""Whether a run has diverged, told from its steps alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from refnum.training.history import Step

__all__ = ["divergence"]

_FIRST, _LAST, _FACTOR = 5, 10, 4.0


def divergence(steps: Sequence[Step]) -> str:
    """Return why a run is to be given up, or nothing.

    Parameters
    ----------
    steps : sequence of Step
        All steps so far.

    Returns
    -------
    str
        Empty unless, at the last step, the loss or the norm of the gradients is not
        finite though the step was not skipped, or the mean loss of the last 10 steps is
        more than 4 times that of the first 5, and positive.

    Examples
    --------
    >>> from refnum.training import Step
    >>> from refnum.training.divergence import divergence
    >>> divergence([Step(1, float("nan"), 0.1, 1.0)])
    'the loss is nan'
    """
    if not steps:
        return ""
    last = steps[-1]
    if not math.isfinite(last.loss):
        return f"the loss is {last.loss}"
    if not (last.skipped or math.isfinite(last.gradient_norm)):
        return f"the norm of the gradients is {last.gradient_norm}"
    if len(steps) < _FIRST + _LAST:
        return ""
    before, now = _mean(steps[:_FIRST]), _mean(steps[-_LAST:])
    if before > 0 and now > _FACTOR * before:
        return (
            f"the loss exploded: {now:.4g} in the last {_LAST} steps, "
            f"{before:.4g} in the first {_FIRST}"
        )
    return ""


def _mean(steps: Sequence[Step]) -> float:
    return math.fsum(one.loss for one in steps) / len(steps)
