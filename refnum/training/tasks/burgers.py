"""Viscous Burgers' equation on a circle: ``u_t + u u_x = viscosity * u_xx``.

The solver keeps the integral of u: fluxes between cells are centred differences of
second order, time goes by the classical Runge-Kutta method of fourth order. It uses
additions, products and quotients of float64 alone, so its bits are the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream
from refnum.elementary import cos, sin

__all__ = ["initial_functions", "solve_burgers"]

_Doubles = npt.NDArray[np.float64]

_ADVECTION, _DIFFUSION = 0.8, 0.5  # of the limits below which Runge-Kutta is stable


def solve_burgers(u: npt.ArrayLike, viscosity: float, time: float) -> _Doubles:
    """Return the solution at a later time.

    Parameters
    ----------
    u : array_like, shape (..., N)
        Values at N equidistant points of the circle of length 1, N at least 4.
    viscosity : float
        Positive.
    time : float
        How much later, from 0.

    Returns
    -------
    ndarray of float64, shape (..., N)
        The values then.

    Raises
    ------
    ValueError
        If a number is out of range, or the points are too far apart for `viscosity`:
        a shock must spread over a few of them.

    Notes
    -----
    The error falls with the square of the distance of points. A grid is fine enough
    where ``max |u| / N`` is at most twice the viscosity (cell Reynolds number 2).

    References
    ----------
    J. M. Burgers, "A mathematical model illustrating the theory of turbulence",
    Advances in Applied Mechanics 1, 1948.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.training.tasks.burgers import solve_burgers
    >>> x = np.arange(64) / 64
    >>> u = solve_burgers(np.where(x < 0.5, 1.0, -1.0), 0.05, 1.0)
    >>> float(abs(u).max()) < 0.2
    True
    """
    state = np.array(u, np.float64)
    if state.ndim == 0 or state.shape[-1] < 4 or not np.isfinite(state).all():
        raise ValueError("u must be finite, with at least 4 points on its last axis")
    if not 0 < viscosity < math.inf:
        raise ValueError(f"viscosity must be positive and finite, not {viscosity}")
    if not 0 <= time < math.inf:
        raise ValueError(f"time must be finite and not negative, not {time}")
    points = state.shape[-1]
    speed = float(np.abs(state).max(initial=0.0))
    if speed > 2 * viscosity * points:
        raise ValueError(
            f"{points} points are too few for speeds of {speed:.3g}: viscosity "
            f"{viscosity:g} needs {math.ceil(speed / (2 * viscosity))}"
        )
    longest = _DIFFUSION / (viscosity * points**2)
    if speed > 0:
        longest = min(longest, _ADVECTION / (speed * points))
    steps = max(1, math.ceil(time / longest)) if time else 0

    def rate(u: _Doubles) -> _Doubles:
        return _rate(u, viscosity, points)

    for _ in range(steps):
        state = _runge_kutta(rate, state, time / steps)
    return state


def initial_functions(
    stream: Stream, count: int, points: int, waves: int = 4
) -> npt.NDArray[np.float32]:
    """Return smooth random functions on the circle.

    Parameters
    ----------
    stream : Stream
        What coefficients are drawn from.
    count, points : int
        How many functions, and of how many equidistant points.
    waves : int
        How many waves are added: wave k has k periods and normal coefficients of
        deviation ``1 / k``.

    Returns
    -------
    ndarray of float32, shape (count, points)
        Values, divided by the largest magnitude of each function.
    """
    draws = stream.normal((count, waves, 2)).astype(np.float64)
    turns = np.arange(points) / points
    total = np.zeros((count, points))
    for k in range(1, waves + 1):
        angle = (2 * math.pi * ((k * turns) % 1.0)).astype(np.float32)
        for part, wave in enumerate((cos(angle), sin(angle))):
            total += draws[:, k - 1, part, None] / k * wave.astype(np.float64)
    largest = np.abs(total).max(axis=1, keepdims=True)
    return np.asarray(total / largest, np.float32)


def _rate(u: _Doubles, viscosity: float, points: int) -> _Doubles:
    """Return u_t: the difference of the fluxes u^2/2 - viscosity u_x on both sides."""
    after = np.roll(u, -1, axis=-1)
    flux = (u * u + u * after + after * after) / 6 - viscosity * points * (after - u)
    return (np.roll(flux, 1, axis=-1) - flux) * points


def _runge_kutta(
    rate: Callable[[_Doubles], _Doubles], u: _Doubles, step: float
) -> _Doubles:
    first = rate(u)
    second = rate(u + step / 2 * first)
    third = rate(u + step / 2 * second)
    fourth = rate(u + step * third)
    return u + step / 6 * (first + 2 * second + 2 * third + fourth)
