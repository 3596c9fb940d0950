"""Learning rate schedules: the share of the largest rate at a step, counted from one.

All begin with a warm-up, in which the share rises by equal amounts and reaches one at
step `warmup`. Sines are those of `refnum.elementary`, the same on every machine.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from refnum import elementary

__all__ = ["constant", "cosine", "wsd"]


def constant(step: int, *, warmup: int = 0) -> float:
    """Return the share when the rate stays.

    Parameters
    ----------
    step : int
        From one.
    warmup : int
        Steps in which the rate rises.

    Returns
    -------
    float
        ``step / warmup``, then one.

    Raises
    ------
    ValueError
        If `step` is not positive, or `warmup` negative.

    Examples
    --------
    >>> [constant(step, warmup=2) for step in (1, 2, 3)]
    [0.5, 1.0, 1.0]
    """
    return min(_steps(step, 1) / max(_steps(warmup, 0), 1), 1.0)


def cosine(step: int, steps: int, *, warmup: int = 0, final: float = 0.0) -> float:
    """Return the share when the rate falls along half a cosine.

    Parameters
    ----------
    step, steps : int
        From one, and how many there are; later ones are like the last.
    warmup : int
        Steps in which the rate rises.
    final : float
        Share at the last step.

    Returns
    -------
    float
        ``final + (1 - final) * (1 + cos(pi * t)) / 2`` after the warm-up, where t goes
        from 0 at its end to 1 at the last step.

    Raises
    ------
    ValueError
        If there are fewer steps than the warm-up takes, or a number is out of range.

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017,
    arXiv:1608.03983.

    Examples
    --------
    >>> [cosine(step, 4, warmup=2) for step in (1, 2, 3, 4)]
    [0.5, 1.0, 0.5, 0.0]
    """
    _check(step, steps, warmup, final)
    if step <= warmup:
        return constant(step, warmup=warmup)
    t = (min(step, steps) - warmup) / (steps - warmup)
    return final + (1 - final) * _half_cosine(t)


def wsd(
    step: int,
    steps: int,
    *,
    warmup: int = 0,
    decay: int | None = None,
    final: float = 0.0,
) -> float:
    """Return the share of warm-up, stable stage and decay.

    Parameters
    ----------
    step, steps : int
        From one, and how many there are; later ones are like the last.
    warmup : int
        Steps in which the rate rises.
    decay : int, optional
        Steps at the end in which it falls by equal amounts; by default a fifth.
    final : float
        Share at the last step.

    Returns
    -------
    float
        One between the two.

    Raises
    ------
    ValueError
        If there are fewer steps than warm-up and decay take, or a number is out of
        range.

    References
    ----------
    Hu et al., "MiniCPM: unveiling the potential of small language models with scalable
    training strategies", 2024, arXiv:2404.06395.

    Examples
    --------
    >>> [wsd(step, 5, decay=2) for step in (1, 3, 4, 5)]
    [1.0, 1.0, 0.5, 0.0]
    """
    falling = steps // 5 if decay is None else _steps(decay, 0)
    _check(step, steps, warmup, final)
    if warmup + falling > steps:
        raise ValueError(
            f"warmup {warmup} and decay {falling} do not fit in {steps} steps"
        )
    left = steps - min(step, steps)
    if left >= falling:
        return constant(step, warmup=warmup)
    return final + (1 - final) * left / falling


def _half_cosine(t: float) -> float:
    """Return (1 + cos(pi t)) / 2 as 1/2 - sin(pi (t - 1/2)) / 2."""
    angle = np.float32(math.pi * (t - 0.5))
    return 0.5 - 0.5 * float(elementary.sin(angle))


def _check(step: int, steps: int, warmup: int, final: float) -> None:
    _steps(step, 1)
    if not 0 <= _steps(warmup, 0) <= _steps(steps, 1):
        raise ValueError(f"warmup {warmup} does not fit in {steps} steps")
    if not 0 <= final <= 1:
        raise ValueError(f"final must be from 0 to 1, not {final}")


def _steps(value: int, least: int) -> int:
    count = operator.index(value)
    if count < least:
        raise ValueError(f"steps are counted from {least}, not {value}")
    return count
