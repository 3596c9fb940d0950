"""Oscillating weights set back to the level they are quantised to.

A *look* follows each weight for some steps and compares the way of its quantised value
with its own: R = sum |dQ(w)| / sum |dw|. A weight that moves within its bin has R = 0,
one that jumps between two levels at small moves a large R. `bin_edges` has the simpler
criterion of where a weight lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.nn.states.amax import State, restored
from refnum.nn.states.oscillation import as_single
from refnum.recipes import OscillationReset

__all__ = ["ResetState", "Travel"]

_Single = npt.NDArray[np.float32]


class Travel:
    """How far a weight and its quantised value have come since a start.

    Parameters
    ----------
    shape : tuple of int
        Of the weight.

    Examples
    --------
    >>> import numpy as np
    >>> travel = Travel((2,))
    >>> travel.start(np.float32([0.7, 1.0]), np.float32([0.5, 1.0]))
    >>> travel.move(np.float32([0.8, 1.1]), np.float32([1.0, 1.0]))
    >>> travel.ratio.round(2)
    array([5., 0.], dtype=float32)
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._arrays = {
            name: np.zeros(shape, np.float32)
            for name in ("weight", "quantized", "way", "quantized_way")
        }

    def start(self, weight: npt.ArrayLike, quantized: npt.ArrayLike) -> None:
        """Begin at these values."""
        self._place(weight, quantized)
        self._arrays["way"] = np.zeros(self.shape, np.float32)
        self._arrays["quantized_way"] = np.zeros(self.shape, np.float32)

    def move(self, weight: npt.ArrayLike, quantized: npt.ArrayLike) -> None:
        """Add the way to these values."""
        before = self._arrays["weight"], self._arrays["quantized"]
        self._place(weight, quantized)
        self._arrays["way"] += np.abs(self._arrays["weight"] - before[0])
        self._arrays["quantized_way"] += np.abs(self._arrays["quantized"] - before[1])

    def _place(self, weight: npt.ArrayLike, quantized: npt.ArrayLike) -> None:
        w = as_single(weight, "weight", self.shape)
        q = as_single(quantized, "quantized", self.shape)
        self._arrays["weight"], self._arrays["quantized"] = w.copy(), q.copy()

    @property
    def ratio(self) -> _Single:
        """R, the quantised way over the weight's own; 0 for weights that stand still."""
        way = self._arrays["way"]
        still = way == 0
        ratio = self._arrays["quantized_way"] / np.where(still, np.float32(1), way)
        return np.where(still, np.float32(0), ratio)

    def state(self) -> State:
        """Return the last values and the ways."""
        return {name: array.copy() for name, array in self._arrays.items()}

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back what `state` returned; ValueError if it is another state."""
        self._arrays = restored(state, self.state())


class ResetState:
    """Looks for oscillating weights of one array.

    Parameters
    ----------
    shape : tuple of int
        Of the weight.
    rule : OscillationReset
        When, and which.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.recipes import OscillationReset
    >>> state = ResetState((1,), OscillationReset(first=0, period=4, steps=2, threshold=8))
    >>> for step, (w, q) in enumerate([(0.74, 0.5), (0.76, 1.0), (0.74, 0.5), (0.74, 0.5)]):
    ...     reset = state.advance(np.float32([w]), np.float32([q]), step)
    >>> reset
    array([ True])
    """

    def __init__(self, shape: tuple[int, ...], rule: OscillationReset) -> None:
        self.rule = rule
        self._travel = Travel(shape)
        self._looking = False

    def wants(self, step: int) -> bool:
        """Return whether `advance` will read the arrays at this step."""
        phase = step % self.rule.period
        if step < self.rule.first:
            return False
        return phase == 0 or (self._looking and phase <= self.rule.steps + 1)

    def advance(
        self, weight: npt.ArrayLike, quantized: npt.ArrayLike, step: int
    ) -> npt.NDArray[np.bool_] | None:
        """Take a step's weights; at the end of a look, say which are to be reset.

        Parameters
        ----------
        weight, quantized : array_like of float32
            The weight after the step, and what it is quantised to.
        step : int
            Number of the step.

        Returns
        -------
        ndarray of bool or None
            Where the weight is to be set to its quantised value; None during a look
            and between two.

        Raises
        ------
        TypeError
            If an array is not float32.
        ValueError
            If an array has another shape.
        """
        if not self.wants(step):
            return None
        phase = step % self.rule.period
        if phase == 0:
            self._travel.start(weight, quantized)
            self._looking = True
            return None
        if phase <= self.rule.steps:
            self._travel.move(weight, quantized)
            return None
        self._looking = False
        return self._travel.ratio >= np.float32(self.rule.threshold)

    def state(self) -> State:
        """Return the travel, and whether a look is going on."""
        return self._travel.state() | {"looking": np.array(self._looking, np.uint8)}

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
        self._looking = bool(arrays.pop("looking"))
        self._travel.load_state(arrays)
