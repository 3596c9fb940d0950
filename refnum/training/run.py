"""`Run`: a model on its way, and everything that decides its next step."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Numerics, Stream, no_grad, use
from refnum.nn import (
    Report,
    Reporter,
    gradients_of,
    load_parameters,
    parameters,
    quantize_model,
)
from refnum.recipes import Schedule
from refnum.training.history import Evaluation, Step
from refnum.training.optimization import Optimization
from refnum.training.plan import Plan
from refnum.training.tasks.task import Task

__all__ = ["Run"]

_Arrays = dict[str, npt.NDArray[Any]]
_PARTS = ("parameters", "optimizer", "quantization")
_TEXTS = ("name", "reference", "read", "inferred")


class Run:
    """A model, its optimiser, and where they are.

    Parameters
    ----------
    task : Task
        What is learned.
    plan : Plan
        How.
    recipe : Recipe or Schedule, optional
        Of the linear layers; None is full precision.
    seed : int
        Of parameters, data order and roundings.
    numerics : Numerics
        Arithmetic of all steps.

    Notes
    -----
    The next step depends on the arrays of `state` and the facts alone: batches and
    random bits follow from the seed and the number of the step.
    """

    def __init__(
        self, task: Task, plan: Plan, recipe: Any, seed: int, numerics: Numerics
    ) -> None:
        self.task, self.plan, self.recipe = task, plan, recipe
        self.seed, self.numerics = seed, numerics
        self.done = 0
        with use(numerics):
            self.model: Any = task.build(Stream(seed, name="model"))
            self.parameters = parameters(self.model)
            self.quantization: Any = None
            if recipe is not None:
                self.quantization = quantize_model(self.model, recipe, seed)
            self.optimization = Optimization(plan, self.parameters, self.quantization)
        self.report: Report | None = None
        self._reporter = None if recipe is None else Reporter(self.quantization)

    def settings(self) -> dict[str, Any]:
        """Return all that decides the run, in JSON's types."""
        return {
            **self.task.settings(),
            "plan": dataclasses.asdict(self.plan),
            "recipe": self._recipe_name(),
            "recipe_digest": None if self.recipe is None else _digest(self.recipe),
            "numerics": self.numerics.name,
            "seed": self.seed,
        }

    def _recipe_name(self) -> str | None:
        if isinstance(self.recipe, Schedule):
            return "schedule"
        return None if self.recipe is None else str(self.recipe)

    def advance(self) -> Step:
        """Train one step and say what it did."""
        number = self.done + 1
        # What overflows is seen in the loss and in the norm of the gradients.
        with use(self.numerics), np.errstate(all="ignore"):
            if self.quantization is not None:
                self.quantization.begin(number)
            batch = self.task.batch(self.seed, number, self.plan.batch)
            scale = self.optimization.loss_scale
            with self._watching(number):
                loss = self.task.loss(self.model, batch)
                finite = math.isfinite(loss.item())
                scaled = loss if scale == 1 else loss * scale
                gradients = gradients_of(scaled, self.parameters) if finite else {}
            if finite:
                rate, norm, skipped = self.optimization.update(number, gradients)
            else:  # nothing to learn from it
                rate, norm, skipped = 0.0, math.nan, False
        self.done = number
        return Step(number, loss.item(), rate, norm, scale, skipped)

    @contextmanager
    def _watching(self, step: int) -> Iterator[None]:
        """Make a report of a step's quantisation where the plan says so."""
        self.report = None
        if self._reporter is None or not self.plan.reports(step):
            yield
            return
        with self._reporter.watching() as report:
            yield
        self.report = report
        self.quantization.watch(report.ratios())

    def evaluate(self) -> Evaluation:
        """Return how good the model is now."""
        final = self.done >= self.plan.steps
        apart = (
            nullcontext()
            if self.quantization is None
            else self.quantization.evaluating()
        )
        with use(self.numerics), no_grad(), apart, np.errstate(all="ignore"):
            values = self.task.evaluate(self.model, final=final)
        return Evaluation(self.done, values)

    def facts(self) -> dict[str, Any]:
        """Return what a checkpoint holds beside arrays."""
        return {"step": self.done, "settings": self.settings()}

    def state(self) -> _Arrays:
        """Return the arrays of a checkpoint."""
        parts = {
            "parameters": {name: one.data for name, one in self.parameters.items()},
            "optimizer": self.optimization.state(),
            "quantization": {}
            if self.quantization is None
            else self.quantization.state(),
        }
        return {
            f"{part}/{name}": array
            for part, arrays in parts.items()
            for name, array in arrays.items()
        }

    def load(self, facts: dict[str, Any], arrays: _Arrays) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        ValueError
            If it belongs to a run with other settings, or does not fit the model.
        """
        difference = _first_difference(self.settings(), facts.get("settings"))
        if difference:
            raise ValueError(f"the checkpoint is of another run: {difference}")
        parts: dict[str, _Arrays] = {part: {} for part in _PARTS}
        for path, array in arrays.items():
            part, _, name = path.partition("/")
            if part not in parts:
                raise ValueError(f"the checkpoint holds the unknown array {path!r}")
            parts[part][name] = array
        load_parameters(self.model, parts["parameters"])
        self.optimization.load_state(parts["optimizer"])
        if self.quantization is not None:
            self.quantization.load_state(parts["quantization"])
        self.done = int(facts["step"])

    def digest(self) -> str:
        """Return the SHA-256 of all parameters: names, then bytes, in their order."""
        digest = hashlib.sha256()
        for name, one in self.parameters.items():
            digest.update(name.encode() + b"\0")
            digest.update(np.ascontiguousarray(one.data).astype("<f4").tobytes())
        return digest.hexdigest()


def _digest(recipe: Any) -> str:
    return hashlib.sha256(repr(_facts(recipe)).encode()).hexdigest()[:16]


def _facts(value: Any) -> Any:
    """Return a record's fields, but for the texts that describe it."""
    if dataclasses.is_dataclass(value):
        names = [one.name for one in dataclasses.fields(value)]
        return [(n, _facts(getattr(value, n))) for n in names if n not in _TEXTS]
    return [_facts(one) for one in value] if isinstance(value, tuple) else value


def _first_difference(here: dict[str, Any], there: Any) -> str:
    """Return the first setting that differs, in words."""
    if not isinstance(there, dict):
        return "it has no settings"
    for name in sorted(here.keys() | there.keys()):
        one, other = here.get(name), there.get(name)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            return f"{name}: {_first_difference(one, other)}"
        return f"{name} was {other!r}, not {one!r}"
    return ""
