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
    task: Task = kind(**settings)
    return task
