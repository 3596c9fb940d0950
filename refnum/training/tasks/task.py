"""`Task`: what a model is to learn, from which data, and how well it has.

A task is a frozen record, so that what it says of itself decides all it does. Batches
are pure functions of seed and step: the order of the data needs no state, and a resumed
run sees the same data.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, Tensor
from refnum.nn import Module
from refnum.training.plan import Plan

__all__ = ["Samples", "Task", "epoch_rows"]


@dataclass(frozen=True, eq=False)
class Samples:
    """What a trained model makes.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W), optional
        Grey pictures.
    text : str
        Written text.
    curves : dict of str to ndarray, shape (N, L), optional
        Functions of one variable by what they are, to draw over each other.
    """

    images: npt.NDArray[np.uint8] | None = None
    text: str = ""
    curves: dict[str, npt.NDArray[np.float32]] | None = None


class Task(Protocol):
    """What the loop asks of a task."""

    @property
    def name(self) -> str:
        """One word."""
        ...

    @property
    def plan(self) -> Plan:
        """How its model is trained if nothing else is said."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return all that decides data and model, in JSON's types."""
        ...

    def references(self) -> dict[str, float]:
        """Return numbers known beforehand that evaluations compare with."""
        ...

    def build(self, stream: Stream) -> Module:
        """Return a new model whose parameters are drawn from a stream."""
        ...

    def batch(self, seed: int, step: int, size: int) -> tuple[Any, ...]:
        """Return the examples of a step."""
        ...

    def loss(self, model: Any, batch: tuple[Any, ...]) -> Tensor:
        """Return the mean loss over a batch."""
        ...

    def evaluate(self, model: Any, *, final: bool) -> dict[str, float]:
        """Return how good a model is on data that it has not seen.

        What takes long is done only when `final`.
        """
        ...

    def samples(self, model: Any, seed: int) -> Samples | None:
        """Return what a model makes, if it makes anything to look at."""
        ...


def epoch_rows(seed: int, step: int, size: int, count: int) -> npt.NDArray[np.intp]:
    """Return which examples a step takes: all in a random order, epoch by epoch.

    Parameters
    ----------
    seed : int
        Of the run.
    step : int
        From 1.
    size : int
        Examples of a step.
    count : int
        Examples there are.

    Returns
    -------
    ndarray of intp, shape (size,)
        Indices; a batch may end one epoch and begin the next.
    """
    places = np.arange((step - 1) * size, step * size)
    epochs, within = np.divmod(places, count)
    rows = np.empty(size, np.intp)
    for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
        here = epochs == epoch
        rows[here] = _order(seed, epoch, count)[within[here]]
    return rows


@functools.lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> npt.NDArray[np.intp]:
    return Stream(seed, epoch, "order").permutation(count)
