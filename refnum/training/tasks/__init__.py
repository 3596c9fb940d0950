"""Tasks: data, a model, and a measure of what it has learned, all offline."""

from __future__ import annotations

import difflib
from typing import Any

from refnum.training.tasks.burgers import initial_functions, solve_burgers
from refnum.training.tasks.diffusion import Diffusion
from refnum.training.tasks.images import Images
from refnum.training.tasks.language import Language
from refnum.training.tasks.markov import MarkovSource
from refnum.training.tasks.pde import PDE
from refnum.training.tasks.regression import Regression
from refnum.training.tasks.task import Samples, Task

__all__ = [
    "PDE",
    "TASKS",
    "Diffusion",
    "Images",
    "Language",
    "MarkovSource",
    "Regression",
    "Samples",
    "Task",
    "get",
    "initial_functions",
    "solve_burgers",
]

TASKS: dict[str, type[Any]] = {
    "regression": Regression,
    "images": Images,
    "diffusion": Diffusion,
    "language": Language,
    "pde": PDE,
}
"""All tasks by name."""


def get(name: str, **settings: Any) -> Task:
    """Return a task.

    Parameters
    ----------
    name : str
        One of `TASKS`.
    **settings
        Fields of its record.

    Returns
    -------
    Task
        The record.

    Raises
    ------
    ValueError
        If the name or a field is unknown, or a field has an impossible value.
    TypeError
        If a field is no number that has to be one.

    Examples
    --------
    >>> from refnum.training import get
    >>> get("language", data="markov").references().keys()
    dict_keys(['entropy'])
    """
    if name not in TASKS:
        near = difflib.get_close_matches(str(name), TASKS, n=3) or sorted(TASKS)
        raise ValueError(f"unknown task {name!r}; there are {', '.join(near)}")
    kind = TASKS[name]
    known = {key for key, field in kind.__dataclass_fields__.items() if field.init}
    if unknown := sorted(settings.keys() - known):
        raise ValueError(
            f"{name} has no {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
    for key, value in settings.items():
        _check(name, key, value, getattr(kind, key))
    task: Task = kind(**settings)
    return task


def _check(task: str, field: str, value: Any, default: Any) -> None:
    """Raise TypeError where a number is wanted and another thing is given."""
    if isinstance(default, int) and type(value) is not int:
        raise TypeError(f"{field} of {task} must be an integer, not {value!r}")
    if isinstance(default, float) and type(value) not in (int, float):
        raise TypeError(f"{field} of {task} must be a number, not {value!r}")
