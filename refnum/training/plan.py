"""`Plan`: how a model is trained, apart from what it is and what it learns."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Plan"]

OPTIMIZERS = ("sgd", "adam", "adamw", "stable_spam")
SCHEDULES = ("constant", "cosine", "wsd")


@dataclass(frozen=True)
class Plan:
    """Batch, optimiser, schedule and checks of a run.

    Parameters
    ----------
    steps : int
        How many updates.
    batch : int
        Examples of each.
    learning_rate : float
        The largest one.
    optimizer : {"sgd", "adam", "adamw", "stable_spam"}
        What makes updates of gradients.
    schedule : {"constant", "cosine", "wsd"}
        How the learning rate goes on after the warm-up.
    warmup : int
        Steps in which it rises from zero.
    final : float
        Share of it that is left at the end of a schedule that falls.
    beta1, beta2 : float
        Decay of the means of gradients, and of their squares; with SGD the first is
        its momentum.
    weight_decay : float
        Of parameters with more than one axis.
    clip : float, optional
        Largest norm of all gradients together.
    loss_scaling : bool
        Whether the loss is scaled, and steps whose gradients overflow are skipped.
    evaluations : int
        How often in a run the model is evaluated, the end included.
    checkpoints : int
        How often in a run a checkpoint is written, the end included.
    report_every : int
        Steps from one report of quantisation errors to the next; 0 is never. Reports
        feed the monitors of a `refnum.recipes.Schedule`, and callbacks hear them.

    Raises
    ------
    ValueError
        If a number is out of range or a name unknown.
    """

    steps: int
    batch: int
    learning_rate: float
    optimizer: str = "adamw"
    schedule: str = "cosine"
    warmup: int = 0
    final: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0
    clip: float | None = None
    loss_scaling: bool = False
    evaluations: int = 10
    checkpoints: int = 20
    report_every: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "evaluations", "checkpoints"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value < 2**31:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        for name in ("warmup", "report_every"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise ValueError(f"{name} must be an integer from 0, not {value!r}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(
                f"learning_rate must be positive and finite, not {self.learning_rate!r}"
            )
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, "
                    f"not {getattr(self, name)!r}"
                )
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be from 0 to below 1, not {getattr(self, name)!r}"
                )
        if not 0 <= self.final <= 1:
            raise ValueError(f"final must be from 0 to 1, not {self.final!r}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(
                f"weight_decay must not be negative, not {self.weight_decay!r}"
            )
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise ValueError(f"clip must be positive or None, not {self.clip!r}")

    def evaluates(self, step: int) -> bool:
        """Whether the model is evaluated after a step."""
        return _is_due(step, self.steps, self.evaluations)

    def saves(self, step: int) -> bool:
        """Whether a checkpoint is written after a step."""
        return _is_due(step, self.steps, self.checkpoints)

    def reports(self, step: int) -> bool:
        """Whether the errors of quantisation are reported at a step."""
        return self.report_every > 0 and step % self.report_every == 0


def _is_due(step: int, steps: int, times: int) -> bool:
    """Whether a step is the last of one of so many equal parts of a run."""
    if step < 1:
        return False
    return step * times // steps > (step - 1) * times // steps
