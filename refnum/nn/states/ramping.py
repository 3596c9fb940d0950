"""Q-Ramping: weights that oscillate are updated more rarely, and by more at a time.

In some steps of calibration each weight's oscillation is measured, as the ratio R of the
way of its quantised value to its own (`Travel`). From then on a weight has a period:
gradients of so many steps are gathered into one update.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.nn.states.amax import State, restored
from refnum.nn.states.oscillation import as_single
from refnum.nn.states.oscillation_reset import Travel
from refnum.recipes import Ramping

__all__ = ["RampingState", "Update"]

_Single = npt.NDArray[np.float32]
_USUAL = Ramping()


@dataclass(frozen=True)
class Update:
    """What an optimiser is given.

    Parameters
    ----------
    gradient : ndarray of float32
        The mean of the gathered gradients where one is due, 0 elsewhere.
    due : ndarray of bool
        Which weights and which of their optimiser states change.
    factor : ndarray of float32
        What the learning rate is multiplied by: the number of gathered steps, 0
        where none is due.
    """

    gradient: _Single
    due: npt.NDArray[np.bool_]
    factor: _Single


class RampingState:
    """Calibration and gathered gradients of one weight array.

    Parameters
    ----------
    shape : tuple of int
        Of the weight.
    rule : Ramping
        How periods follow from oscillation.

    Notes
    -----
    That gathered gradients are averaged is an inference: with plain SGD the factor then
    makes up for the steps left out, and Adam's direction does not depend on it.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.recipes import Ramping
    >>> state = RampingState((2,), Ramping(steps=1, unit=1.0, growth=1))
    >>> state.calibrate(np.float32([0.7, 1.0]), np.float32([0.5, 1.0]))
    >>> state.calibrate(np.float32([1.0, 1.1]), np.float32([1.0, 1.0]))
    >>> state.period
    array([2, 1])
    >>> state.gather(np.float32([1.0, 1.0])).due, state.gather(np.float32([3.0, 1.0]))
    (array([False,  True]), Update(gradient=array([2., 1.], dtype=float32), \
due=array([ True,  True]), factor=array([2., 1.], dtype=float32)))
    """

    def __init__(self, shape: tuple[int, ...], rule: Ramping = _USUAL) -> None:
        self.rule = rule
        self._travel = Travel(shape)
        self._seen = 0
        self._period = np.ones(shape, np.int64)
        self._gathered = np.zeros(shape, np.float32)
        self._count = np.zeros(shape, np.int64)

    @property
    def begun(self) -> bool:
        """Whether the weights before the first step are known."""
        return self._seen > 0

    @property
    def calibrated(self) -> bool:
        """Whether periods are known; until then, each is one step."""
        return self._seen > self.rule.steps

    @property
    def period(self) -> npt.NDArray[np.int64]:
        """Steps from one update of each weight to the next."""
        return self._period

    def calibrate(self, weight: npt.ArrayLike, quantized: npt.ArrayLike) -> None:
        """Take the weights before the first step of calibration, and after each.

        Parameters
        ----------
        weight, quantized : array_like of float32
            The weight, and what it is quantised to.

        Raises
        ------
        TypeError
            If an array is not float32.
        ValueError
            If an array has another shape, or calibration is over.
        """
        if self.calibrated:
            raise ValueError(f"calibration took {self.rule.steps} steps and is over")
        if self._seen == 0:
            self._travel.start(weight, quantized)
        else:
            self._travel.move(weight, quantized)
        self._seen += 1
        if self._seen > self.rule.steps:
            self._period = self.rule.periods(self._travel.ratio)

    def gather(self, gradient: npt.ArrayLike) -> Update:
        """Add a step's gradient, and return the update that is due.

        Parameters
        ----------
        gradient : array_like of float32
            Of the weight.

        Returns
        -------
        Update
            Which weights move, and by what.

        Raises
        ------
        TypeError
            If `gradient` is not float32.
        ValueError
            If it has another shape.
        """
        self._gathered += as_single(gradient, "gradient", self._gathered.shape)
        self._count += 1
        due = self._count >= self._period
        count = np.where(due, self._count, 1).astype(np.float32)
        mean = np.where(due, self._gathered / count, np.float32(0))
        self._gathered[due] = 0
        self._count[due] = 0
        return Update(mean, due, np.where(due, count, np.float32(0)))

    def state(self) -> State:
        """Return the travel of the calibration, periods and gathered gradients."""
        return self._travel.state() | {
            "seen": np.array(self._seen, np.int64),
            "period": self._period.copy(),
            "gathered": self._gathered.copy(),
            "count": self._count.copy(),
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
        self._seen = int(arrays.pop("seen"))
        self._period = arrays.pop("period")
        self._gathered, self._count = arrays.pop("gathered"), arrays.pop("count")
        self._travel.load_state(arrays)
