"""Train one configuration and return what a line of results holds.

`measure` is what workers call: it takes and returns plain dictionaries, and everything
that it needs can be imported by name.
"""

from __future__ import annotations

import math
import time
import traceback
from typing import Any

import numpy as np

from refnum._version import __version__
from refnum.autograd import FAST, REPRODUCIBLE, no_grad, use
from refnum.nn import Linear, Reporter, modules
from refnum.studies.building import schedule_of
from refnum.studies.configuration import MEASURES, Configuration
from refnum.training import Run, Step
from refnum.training.divergence import divergence

__all__ = ["FORM", "measure"]

FORM = 1
"""Version of the lines."""

_POINTS = 20  # of a learning curve that is kept


def measure(configuration: Configuration) -> dict[str, Any]:
    """Train, and return the line of results; an exception becomes a failure.

    Parameters
    ----------
    configuration : Configuration
        What to train.

    Returns
    -------
    dict
        In JSON's types: id, configuration, outcome ("finished", "diverged" or
        "failed"), the evaluated value, and more; or the traceback.
    """
    start = time.monotonic()
    line: dict[str, Any] = {
        "form": FORM,
        "id": configuration.id,
        "configuration": configuration.facts(),
    }
    try:
        line |= _train(configuration)
    except Exception:  # noqa: BLE001 whatever it is, it is recorded
        line |= {"outcome": "failed", "error": traceback.format_exc()}
    line["seconds"] = round(time.monotonic() - start, 3)
    return line | {"refnum": __version__, "numpy": np.__version__}


def _train(configuration: Configuration) -> dict[str, Any]:
    setting, design = configuration.setting, configuration.design
    task, plan = setting.make(), setting.plan
    recipe = None if design is None else schedule_of(design, plan.steps)
    numerics = FAST if configuration.numerics == "fast" else REPRODUCIBLE
    run = Run(task, plan, recipe, configuration.seed, numerics)
    steps: list[Step] = []
    reason, errors = "", []
    reporter = Reporter(run.quantization) if recipe is not None else None
    while run.done < plan.steps and not reason:
        number = run.done + 1
        if reporter is not None and number in _reported(plan.steps, configuration):
            with reporter.watching() as report:
                steps.append(run.advance())
            errors.append(_errors(number, report))
        else:
            steps.append(run.advance())
        reason = divergence(steps)
    with use(numerics), no_grad(), np.errstate(all="ignore"):
        evaluation = task.evaluate(run.model, final=False)
    value = evaluation[MEASURES[task.name]]
    if not math.isfinite(value):
        reason = reason or f"the {MEASURES[task.name]} is {value}"
    found = {
        "outcome": "diverged" if reason else "finished",
        "reason": reason,
        "measure": MEASURES[task.name],
        "value": _number(value),
        "evaluation": {name: _number(one) for name, one in evaluation.items()},
        "curve": _curve(steps),
        "parameters": _linear_parameters(run.model),
        "examples": plan.steps * plan.batch * int(getattr(task, "context", 1)),
    }
    return found | ({"errors": errors} if errors else {})


def _reported(steps: int, configuration: Configuration) -> set[int]:
    """Return the steps of error reports: the first, the last, evenly between."""
    times = configuration.reports
    if times < 1:
        return set()
    places = np.linspace(1, steps, times) if times > 1 else np.array([steps])
    return {round(float(place)) for place in places}


def _errors(step: int, report: Any) -> dict[str, Any]:
    """Return relative errors by layer and role, and scale codes by role."""
    errors: dict[str, dict[str, float]] = {}
    scales: dict[str, dict[str, int]] = {}
    for layer, roles in report.operands.items():
        for role, found in roles.items():
            if found.relative_mse is not None:
                error = float(f"{found.relative_mse:.4g}")
                errors.setdefault(layer, {})[role] = error
            counts = scales.setdefault(role, {})
            for code, count in found.scales.items():
                counts[str(code)] = counts.get(str(code), 0) + count
    return {"step": step, "relative_mse": errors, "scales": scales}


def _curve(steps: list[Step]) -> list[list[Any]]:
    """Return means of the training loss over parts of the run, with their last steps."""
    parts = np.array_split(np.array([one.loss for one in steps]), _POINTS)
    ends = np.cumsum([len(part) for part in parts])
    return [
        [int(end), _number(float(f"{part.mean():.6g}"))]
        for end, part in zip(ends, parts, strict=True)
        if len(part)
    ]


def _linear_parameters(model: Any) -> int:
    """Return how many weights the linear layers have, the head apart."""
    layers = [part for part in modules(model).values() if isinstance(part, Linear)]
    return sum(layer.weight.data.size for layer in layers if layer.kind != "head")


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
