"""Largest magnitudes from earlier steps: delayed and held references of tensor scales.

A tensor scale needs the largest magnitude of a whole tensor before its first element
can be quantised. Both states here give one that is known already. A number that is not
finite is used in its own step, if there is no other, and is never kept: one step whose
gradients overflow does not spoil those that follow.

All states of this room have `state`, which returns arrays, and `load_state`, which
takes them back, so that a run which goes on from a file has the same bits.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DelayedAmax", "HeldAmax", "State", "restored"]

State = dict[str, npt.NDArray[Any]]


class HeldAmax:
    """Sample and hold: measured every `interval` steps, and kept exactly in between.

    Parameters
    ----------
    interval : int
        Steps between two samples.
    first : int
        The number of the first step: samples are taken at `first`, `first + interval`
        and so on, and at the first step seen.

    Raises
    ------
    ValueError
        If `interval` is not positive.

    Notes
    -----
    Micro-batches of one step share its sample, which is that of the first.

    References
    ----------
    Hu et al., arXiv 2609.02846, section 3: 50 steps, no window, no safety factor.

    Examples
    --------
    >>> held = HeldAmax(interval=2)
    >>> [float(held.reference(amax, step)) for step, amax in enumerate([3, 5, 4, 8])]
    [3.0, 3.0, 4.0, 4.0]
    """

    def __init__(self, interval: int = 50, first: int = 0) -> None:
        self.interval = _positive(interval, "interval")
        self.first = operator.index(first)
        self._amax = np.float32(np.nan)
        self._sampled = -1

    def reference(self, amax: npt.ArrayLike, step: int) -> np.float32:
        """Return the reference of a step, and take its sample if one is due.

        Parameters
        ----------
        amax : float
            The tensor's own largest magnitude.
        step : int
            Number of the optimiser step, not below the last one.

        Returns
        -------
        float32
            The held magnitude.

        Raises
        ------
        ValueError
            If `amax` is negative or no scalar, or `step` runs backwards.
        """
        own, step = _as_amax(amax), _as_step(step, self._sampled)
        due = (step - self.first) % self.interval == 0 or np.isnan(self._amax)
        if due and step != self._sampled and np.isfinite(own):
            self._amax, self._sampled = own, step
        return own if np.isnan(self._amax) else self._amax

    def needs(self, step: int) -> bool:
        """Return whether `reference` will look at the tensor's own amax."""
        due = (operator.index(step) - self.first) % self.interval == 0
        return bool(np.isnan(self._amax)) or (due and step != self._sampled)

    def state(self) -> State:
        """Return the sample and its step."""
        return {
            "amax": np.array(self._amax, np.float32),
            "sampled": np.array(self._sampled, np.int64),
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
        self._amax = np.float32(arrays["amax"])
        self._sampled = int(arrays["sampled"])


class DelayedAmax:
    """The largest magnitude of the last steps, without the step itself.

    Parameters
    ----------
    window : int
        How many steps are remembered.
    choice : {"max", "last"}
        The largest of them, or the most recent one.

    Raises
    ------
    ValueError
        If `window` is not positive, or `choice` is unknown.

    Notes
    -----
    The first step has nothing to look back at and takes its own. Micro-batches of one
    step count as one, with the largest of their magnitudes.

    References
    ----------
    Transformer Engine, `DelayedScaling`: `amax_history_len` and `amax_compute_algo`.

    Examples
    --------
    >>> delayed = DelayedAmax(window=2)
    >>> [float(delayed.reference(amax, step)) for step, amax in enumerate([3, 5, 4, 2, 1])]
    [3.0, 3.0, 5.0, 5.0, 4.0]
    """

    def __init__(self, window: int = 1024, choice: str = "max") -> None:
        self.window = _positive(window, "window")
        if choice not in ("max", "last"):
            raise ValueError(f"choice is {choice!r}; max or last is allowed")
        self.choice = choice
        # A ring of `window` finished steps, and the step that is going on.
        self._ring = np.full(self.window, np.nan, np.float32)
        self._finished = 0
        self._current = np.float32(np.nan)
        self._step = -1

    def reference(self, amax: npt.ArrayLike, step: int) -> np.float32:
        """Return the reference of a step, and remember the step's own magnitude.

        Parameters
        ----------
        amax : float
            The tensor's own largest magnitude.
        step : int
            Number of the optimiser step, not below the last one.

        Returns
        -------
        float32
            The largest or the last of the finished steps in the window.

        Raises
        ------
        ValueError
            If `amax` is negative or no scalar, or `step` runs backwards.
        """
        own, step = _as_amax(amax), _as_step(step, self._step)
        if step != self._step:
            self._finish()
            self._step = step
        if np.isfinite(own):
            self._current = np.fmax(self._current, own)
        if not self._finished:
            return self._current if np.isfinite(self._current) else own
        if self.choice == "last":
            return np.float32(self._ring[(self._finished - 1) % self.window])
        return np.float32(np.nanmax(self._ring))

    def _finish(self) -> None:
        """Put the step that has ended into the ring, if it had a finite magnitude."""
        if np.isfinite(self._current):
            self._ring[self._finished % self.window] = self._current
            self._finished += 1
        self._current = np.float32(np.nan)

    def state(self) -> State:
        """Return the remembered magnitudes and where the next one goes."""
        return {
            "ring": self._ring.copy(),
            "finished": np.array(self._finished, np.int64),
            "current": np.array(self._current, np.float32),
            "step": np.array(self._step, np.int64),
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
        self._ring = arrays["ring"]
        self._finished, self._step = int(arrays["finished"]), int(arrays["step"])
        self._current = np.float32(arrays["current"])


def restored(state: Mapping[str, npt.NDArray[Any]], like: State) -> State:
    """Return copies of arrays after a look at their names, types and shapes."""
    if set(state) != set(like):
        raise ValueError(f"a state of {sorted(like)} is needed, not {sorted(state)}")
    for name, expected in like.items():
        array = np.asarray(state[name])
        if (array.dtype, array.shape) != (expected.dtype, expected.shape):
            raise ValueError(
                f"{name} must be {expected.dtype} of shape {expected.shape}, not "
                f"{array.dtype} of {array.shape}"
            )
    return {name: np.array(state[name]) for name in like}


def _positive(value: int, name: str) -> int:
    number = operator.index(value)
    if number < 1:
        raise ValueError(f"{name} must be 1 or more, not {number}")
    return number


def _as_amax(amax: npt.ArrayLike) -> np.float32:
    value = np.asarray(amax)
    if value.ndim or value.dtype.kind not in "iuf" or value < 0:
        raise ValueError(f"amax must be a number that is not negative, not {amax!r}")
    with np.errstate(over="ignore"):
        return np.float32(value)


def _as_step(step: int, last: int) -> int:
    number = operator.index(step)
    if number < max(last, 0):
        raise ValueError(f"step must not go back from {max(last, 0)} to {number}")
    return number
