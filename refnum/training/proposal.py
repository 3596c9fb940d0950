"""The plan of a run of which nothing is said: the task's, with a batch for the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import gcd, lcm

from refnum import recipes
from refnum.recipes import Recipe, Schedule
from refnum.training.plan import Plan
from refnum.training.tasks.task import Task

__all__ = ["proposed_plan"]


def proposed_plan(task: Task, recipe: Recipe | Schedule | str | None) -> Plan:
    """Return the plan that a task proposes, with a batch that a recipe can reduce.

    The gradient of a weight is a sum over the batch, which must be a multiple of the
    recipe's blocks and rotations; where it is none, it grows to the next. Tasks that do
    not say how many `rows` of a layer's input an example makes keep their plan.

    Parameters
    ----------
    task : Task
        What is learned.
    recipe : Recipe, Schedule, str or None
        How linear layers compute. A schedule changes nothing.

    Raises
    ------
    ValueError
        If there is no recipe of that name.

    Examples
    --------
    >>> from refnum.training import Images
    >>> task = Images(data="patterns")
    >>> [proposed_plan(task, name).batch for name in ("mxfp4", "quartet-ii")]
    [64, 128]
    """
    plan, rows = task.plan, getattr(task, "rows", None)
    chosen = recipes.get(recipe) if isinstance(recipe, str) else recipe
    if rows is None or not isinstance(chosen, Recipe):
        return plan
    need = lcm(*_lengths(chosen))
    step = need // gcd(need, rows)
    return replace(plan, batch=-(-plan.batch // step) * step)


def _lengths(recipe: Recipe) -> Iterator[int]:
    """Yield what must divide the rows that a weight's gradient sums over."""
    for operand in (recipe.wgrad_dy, recipe.wgrad_x):
        if operand is None:
            continue
        if operand.rotation is not None:
            yield operand.rotation.size
        if isinstance(operand.block, tuple) and not recipe.padded:
            yield operand.block[1]
