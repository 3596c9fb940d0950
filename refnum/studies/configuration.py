"""`Configuration`: one training of a study, all that decides it, and its name.

Vocabulary. A *setting* is a task with its sizes and its plan; a configuration is a
setting, a design and a seed. The *baseline* of a configuration is that of the same
setting and seed without a design: full precision.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refnum.studies.design import Design, design_of
from refnum.training import MarkovSource, Plan, Task, get

__all__ = ["MEASURES", "Configuration", "Setting"]

MEASURES = {
    "regression": "risk",
    "images": "loss",
    "diffusion": "loss",
    "language": "loss",
    "pde": "relative error",
}
"""What is evaluated at the end of each task: the smaller, the better."""

_CHANGE_NOTHING = ("evaluations", "checkpoints")

NUMERICS = ("fast", "reproducible")


@dataclass(frozen=True)
class Setting:
    """A task with its sizes, and how it is trained.

    Parameters
    ----------
    task : str
        Its name.
    fields : tuple of (str, object)
        Fields of the task that are set.
    plan : Plan
        Steps, batch, optimiser.
    label : str
        What tables call it.
    """

    task: str
    fields: tuple[tuple[str, Any], ...]
    plan: Plan
    label: str

    def make(self) -> Task:
        """Return the task."""
        given = dict(self.fields)
        if isinstance(given.get("source"), Mapping):
            given["source"] = MarkovSource(**given["source"])
        return get(self.task, **given)

    @functools.cached_property
    def facts(self) -> dict[str, Any]:
        """All that decides data, model and training, in JSON's types."""
        plan = {
            field.name: getattr(self.plan, field.name)
            for field in dataclasses.fields(self.plan)
            if getattr(self.plan, field.name) != field.default
            and field.name not in _CHANGE_NOTHING
        }
        return {"task": self.make().settings(), "plan": plan}

    @property
    def key(self) -> str:
        """A name that is equal for equal settings alone."""
        return digest(self.facts)

    def __hash__(self) -> int:
        return hash((self.task, self.label, self.plan))


@dataclass(frozen=True)
class Configuration:
    """One training.

    Parameters
    ----------
    setting : Setting
        Task and plan.
    design : Design or None
        None is the baseline.
    seed : int
        Of parameters, data order and roundings.
    numerics : {"fast", "reproducible"}
        Arithmetic of everything but the quantised operands.
    reports : int
        How many times errors are reported; it changes no result.
    """

    setting: Setting
    design: Design | None
    seed: int
    numerics: str = "fast"
    reports: int = 0

    def facts(self) -> dict[str, Any]:
        """Return all that decides the results, in JSON's types."""
        return {
            **self.setting.facts,
            "label": self.setting.label,
            "design": None if self.design is None else self.design.facts(),
            "seed": self.seed,
            "numerics": self.numerics,
        }

    @functools.cached_property
    def id(self) -> str:
        """Sixteen digits that are equal for equal configurations alone."""
        facts = self.facts()
        del facts["label"]
        return digest(facts)

    def __str__(self) -> str:
        design = self.design or "full precision"
        return f"{self.setting.label}, {design}, seed {self.seed}"


def digest(facts: Mapping[str, Any]) -> str:
    """Return sixteen hexadecimal digits of the SHA-256 of canonical JSON."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def design_in(facts: Mapping[str, Any] | None) -> Design | None:
    """Return the design that a stored configuration has."""
    return None if facts is None else design_of(facts)
