"""Weights that oscillate between two levels: found, averaged, slowed down, reset.

A master weight near the middle between two levels may cross it back and forth: its
small moves become whole steps of the quantised weight. The remedies here differ in
what they act on: `AveragedWeight` (Q-EMA) on the rounding, `Ramping` (Q-Ramping) on the
updates, `ResetState` (OsciReset) and `bin_edge_reset` on the master weight.

All are states or functions of one weight array in float32, element by element. What a
weight is quantised to is an argument: any format will do. `oscillation_reset`,
`bin_edges` and `ramping` have the others.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.nn.gradients.grids import Grid, as_floats, interval_of, levels_of
from refnum.nn.states.amax import State, restored

__all__ = ["AveragedWeight", "as_single", "round_towards_average"]

_Single = npt.NDArray[np.float32]


class AveragedWeight:
    """Q-EMA: an exponential moving average of a weight, to round towards.

    Parameters
    ----------
    weight : array_like of float32
        The weight at the beginning, and so the average.
    decay : float
        Share of the average that stays at each step.
    warm_up : int
        Steps before the average is used.

    Raises
    ------
    TypeError
        If `weight` is not float32.
    ValueError
        If `decay` or `warm_up` is out of range.

    Notes
    -----
    ``average = average * decay + weight * (1 - decay)``, each operation rounded to
    float32, where 1 - decay is computed in float64 and rounded.

    References
    ----------
    Chen et al., TetraJet, arXiv 2502.20853, and its code (`QLinear`): 0.999, 10 steps.

    Examples
    --------
    >>> import numpy as np
    >>> state = AveragedWeight(np.float32([1.0]), decay=0.5, warm_up=2)
    >>> state.update(np.float32([2.0]))
    >>> state.ready, state.average
    (False, array([1.5], dtype=float32))
    """

    def __init__(
        self, weight: npt.ArrayLike, decay: float = 0.999, warm_up: int = 10
    ) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"decay must be between 0 and 1, not {decay}")
        if operator.index(warm_up) < 0:
            raise ValueError(f"warm_up must not be negative, not {warm_up}")
        self.decay, self.warm_up = decay, operator.index(warm_up)
        self._average = as_single(weight, "weight").copy()
        self._steps = 0

    @property
    def average(self) -> _Single:
        """The moving average."""
        return self._average

    @property
    def ready(self) -> bool:
        """Whether enough steps have passed."""
        return self._steps >= self.warm_up

    def update(self, weight: npt.ArrayLike) -> None:
        """Take the weight after a step into the average.

        Parameters
        ----------
        weight : array_like of float32
            In the shape of the average.

        Raises
        ------
        TypeError
            If `weight` is not float32.
        ValueError
            If shapes differ.
        """
        values = as_single(weight, "weight", self._average.shape)
        self._average *= np.float32(self.decay)
        self._average += values * np.float32(1 - self.decay)
        self._steps += 1

    def state(self) -> State:
        """Return the average and the number of steps."""
        return {
            "average": self._average.copy(),
            "steps": np.array(self._steps, np.int64),
        }

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back what `state` returned.

        Parameters
        ----------
        state : mapping of str to ndarray
            The arrays.

        Raises
        ------
        ValueError
            If an array is missing, unknown or of another type or shape.
        """
        arrays = restored(state, self.state())
        self._average, self._steps = arrays["average"], int(arrays["steps"])


def round_towards_average(
    scaled: npt.ArrayLike, average: npt.ArrayLike, grid: Grid
) -> _Single:
    """Round each value to that of its two neighbours which its average is nearer to.

    Parameters
    ----------
    scaled : array_like of float32
        Weights divided by their scales.
    average : array_like of float32
        Their moving averages, divided by the same scales.
    grid : Format or array_like
        The levels.

    Returns
    -------
    ndarray of float32
        The level at or below a value, or the next one if the average is at least half
        way up to it. Values beyond the ends become the end.

    Raises
    ------
    TypeError
        If an array is not float32.
    ValueError
        If shapes differ.

    References
    ----------
    Chen et al., TetraJet, arXiv 2502.20853: the floor of the weight, plus one if the
    average exceeds it by half a step.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> w = np.float32([2.4, 2.6, -2.6])
    >>> round_towards_average(w, np.float32([2.6, 2.4, -2.4]), rn.E2M1)
    array([ 3.,  2., -2.], dtype=float32)
    """
    values = as_single(scaled, "scaled")
    means = as_single(average, "average", values.shape)
    levels = levels_of(grid).astype(np.float32)
    index = interval_of(values, levels)
    low, high = levels[index], levels[index + 1]
    chosen = np.where(means >= (low + high) / 2, high, low)
    chosen = np.where(values >= levels[-1], levels[-1], chosen)
    chosen = np.where(values <= levels[0], levels[0], chosen)
    return np.where(np.isnan(values), values, chosen)


def as_single(
    x: npt.ArrayLike, name: str, shape: tuple[int, ...] | None = None
) -> _Single:
    """Return a float32 array, of that shape if one is given."""
    array = as_floats(x, name)
    if array.dtype != np.float32:
        raise TypeError(f"{name} must be float32, not {array.dtype}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; {shape} is needed")
    return array
