"""`History`: what a run was asked for, and what became of it.

Numbers in JSON read back to the same bits; NaN and infinities are the strings "nan",
"inf" and "-inf".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Evaluation", "History", "Step", "map_floats", "written"]


@dataclass(frozen=True)
class Step:
    """What one step of training did.

    Parameters
    ----------
    step : int
        Its number, from 1.
    loss : float
        Mean loss over the batch, before the update.
    learning_rate : float
        Of the update.
    gradient_norm : float
        Euclidean norm of all gradients together, before clipping.
    loss_scale : float
        What the loss was multiplied by for the backward pass.
    skipped : bool
        Whether the update was left out, as gradients overflowed.
    seconds : float
        Since the run began or was resumed.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    loss_scale: float = 1.0
    skipped: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """How good the model was after a step: numbers by name."""

    step: int
    values: dict[str, float]


@dataclass
class History:
    """A run: settings, steps, evaluations, outcome.

    Parameters
    ----------
    settings : dict
        All that decides the run: task, model, plan, recipe, numerics, seed, steps.
    references : dict of str to float
        Numbers known beforehand that evaluations compare with, such as an entropy.
    steps : list of Step
        In order.
    evaluations : list of Evaluation
        In order.
    outcome : {"running", "finished", "interrupted", "diverged"}
        How it ended; "running" if it has not, or was killed.
    reason : str
        Why it diverged.
    model : Module, optional
        The trained model; a history that was read has none.
    """

    settings: dict[str, Any]
    references: dict[str, float] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    outcome: str = "running"
    reason: str = ""
    model: Any = None

    @property
    def losses(self) -> npt.NDArray[np.float64]:
        """Loss of each step, shape (steps,)."""
        return np.array([one.loss for one in self.steps], np.float64)

    @property
    def name(self) -> str:
        """Task, model and recipe in a few words."""
        parts = [self.settings.get(key) for key in ("task", "model", "data", "recipe")]
        words = [str(part) for part in parts if part]
        return " ".join(dict.fromkeys(words)) or "run"

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Return the steps and values of one evaluated number.

        Parameters
        ----------
        name : str
            Such as "accuracy".

        Returns
        -------
        steps : list of int
            Where it was evaluated.
        values : list of float
            What it was.
        """
        found = [one for one in self.evaluations if name in one.values]
        return [one.step for one in found], [one.values[name] for one in found]

    def last(self) -> dict[str, float]:
        """Return the numbers of the last evaluation; empty if there was none."""
        return dict(self.evaluations[-1].values) if self.evaluations else {}

    def to_dict(self) -> dict[str, Any]:
        """Return a summary in JSON's types."""
        summary = {
            "settings": self.settings,
            "references": self.references,
            "outcome": self.outcome,
            "reason": self.reason,
            "steps": self.steps[-1].step if self.steps else 0,
            "loss": self.steps[-1].loss if self.steps else None,
            "evaluation": self.last(),
        }
        plain: dict[str, Any] = map_floats(summary, written)
        return plain


def written(value: float) -> float | str:
    """Return a number as JSON has it: NaN and infinities are texts."""
    return value if math.isfinite(value) else str(value)


def map_floats(value: Any, change: Callable[[float], Any]) -> Any:
    """Apply a function to all floats in JSON's types."""
    if isinstance(value, float):
        return change(float(value))
    if isinstance(value, Mapping):
        return {key: map_floats(one, change) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [map_floats(one, change) for one in value]
    return value
