"""`train`: the loop around the steps of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from refnum import recipes
from refnum.autograd import REPRODUCIBLE, Numerics, no_grad, use
from refnum.training.divergence import divergence
from refnum.training.drawing import save_samples
from refnum.training.folder import Folder
from refnum.training.history import History, Step
from refnum.training.interrupts import Interrupts
from refnum.training.plan import Plan
from refnum.training.progress import Progress
from refnum.training.proposal import proposed_plan
from refnum.training.run import Run
from refnum.training.tasks import get
from refnum.training.tasks.task import Task

__all__ = ["train"]

Callback = Callable[[dict[str, Any]], object]


def train(
    task: Task | str,
    recipe: Any = None,
    steps: int | None = None,
    seed: int = 0,
    *,
    plan: Plan | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    numerics: Numerics = REPRODUCIBLE,
    callbacks: Sequence[Callback] = (),
    progress: bool = False,
) -> History:
    """Train a model on a task.

    Parameters
    ----------
    task : Task or str
        What is learned; a name stands for the task with its usual settings.
    recipe : Recipe, Schedule or str, optional
        How linear layers compute, or the name of a published recipe; None is full
        precision.
    steps : int, optional
        How many updates, in place of the plan's.
    seed : int
        Of parameters, data order and random roundings, 0 to 2^64 - 1.
    plan : Plan, optional
        How it is trained; by default as the task proposes, with a batch that the
        recipe's blocks and rotations divide.
    out : Path or str, optional
        A folder for the log, the checkpoint and the samples; nothing is kept without.
    resume : bool
        Go on from the checkpoint in `out`, to the same bits as if the run had never
        been stopped; without a checkpoint, begin.
    numerics : Numerics
        `refnum.autograd.REPRODUCIBLE` or `refnum.autograd.FAST`.
    callbacks : sequence of callable
        Each is called after each step with a dict of the step's numbers, and after each
        evaluation with its numbers, such as ``{"step": 40, "evaluation/loss": 0.1}``.
    progress : bool
        Whether standard error shows how far it is.

    Returns
    -------
    History
        Every step and evaluation, how it ended, and the model.

    Raises
    ------
    ValueError
        If something is unknown or out of range, `out` holds a run that is not resumed,
        or its checkpoint is damaged or of a run with other settings.
    KeyboardInterrupt
        At Ctrl-C, once the step is done and the checkpoint written.
    OSError
        If a file cannot be written; the last checkpoint stays.

    Notes
    -----
    A run that diverges ends early, with the outcome "diverged" and a reason; its last
    checkpoint is from before.

    Examples
    --------
    >>> from refnum.training import Regression, train
    >>> small = Regression(inputs=16, outputs=2, noise=0.1)
    >>> history = train(small, steps=100)
    >>> history.outcome, len(history.steps)
    ('finished', 100)
    """
    chosen = get(task) if isinstance(task, str) else task
    how = proposed_plan(chosen, recipe) if plan is None else plan
    if steps is not None:
        how = replace(how, steps=steps)
    if resume and out is None:
        raise ValueError("resume needs the folder of the run: give out")
    if isinstance(recipe, str):
        recipe = recipes.get(recipe)
    run = Run(chosen, how, recipe, seed, numerics)
    folder = Folder(None if out is None else Path(out))
    history = _history_of(run, folder, resume)
    loop = _Loop(run, history, folder, tuple(callbacks), progress)
    return loop.run_to_end()


def _history_of(run: Run, folder: Folder, resume: bool) -> History:
    """Return the history to go on with, and bring the run there."""
    if not resume:
        folder.refuse_old_run()
    found = folder.load() if resume else None
    if found is None:
        return History(run.settings(), run.task.references())
    history, checkpoint = found
    run.load(checkpoint.facts, checkpoint.arrays)
    return history


class _Loop:
    """The steps that are left, and who hears of them."""

    def __init__(
        self,
        run: Run,
        history: History,
        folder: Folder,
        callbacks: tuple[Callback, ...],
        progress: bool,
    ) -> None:
        self._run, self._history, self._folder = run, history, folder
        self._callbacks = callbacks
        self._progress = Progress(run.plan.steps, run.done, progress)
        self._interrupts = Interrupts()
        before = history.steps[-1].seconds if history.steps else 0.0
        self._start = time.monotonic() - before

    def run_to_end(self) -> History:
        """Train what is left and return the history."""
        history = self._history
        try:
            with self._interrupts.held():
                self._go_on()
        except KeyboardInterrupt:
            history.outcome = "interrupted"
            self._folder.outcome("interrupted", "")
            if self._run.done == len(history.steps):
                self._save()
            raise
        finally:
            self._folder.close()
            self._progress.close()
        history.model = self._run.model
        return history

    def _go_on(self) -> None:
        history, run = self._history, self._run
        self._folder.begin(history)
        self._evaluate()
        while run.done < run.plan.steps and not history.reason:
            with self._interrupts.step():
                step = self._step()
            self._progress.step(step)
            self._tell(asdict(step))
            if run.report is not None:
                self._tell({"step": step.step, "report": run.report.as_dict()})
            self._evaluate()
        history.outcome = "diverged" if history.reason else "finished"
        if history.reason:
            self._progress.say(f"step {run.done}: diverged: {history.reason}")
        else:
            self._draw()
        self._folder.outcome(history.outcome, history.reason)

    def _step(self) -> Step:
        """Train a step, and write the checkpoint where the plan says so."""
        run, history = self._run, self._history
        step = run.advance()
        step = replace(step, seconds=round(time.monotonic() - self._start, 3))
        history.steps.append(step)
        self._folder.step(step)
        history.reason = divergence(history.steps)
        if run.plan.saves(step.step) and not history.reason:
            self._save()
        return step

    def _evaluate(self) -> None:
        """Evaluate where the plan says so, unless it was done before a stop."""
        run, found = self._run, self._history.evaluations
        known = bool(found) and found[-1].step == run.done
        if known or self._history.reason or not run.plan.evaluates(run.done):
            return
        evaluation = run.evaluate()
        found.append(evaluation)
        self._folder.evaluation(evaluation)
        self._progress.evaluation(evaluation)
        numbers = {f"evaluation/{k}": v for k, v in evaluation.values.items()}
        self._tell({"step": evaluation.step, **numbers})

    def _tell(self, record: dict[str, Any]) -> None:
        for callback in self._callbacks:
            callback(record)

    def _save(self) -> None:
        self._folder.save(self._run.facts(), self._run.state())

    def _draw(self) -> None:
        """Save what the model makes beside the log."""
        if self._folder.path is None:
            return
        with use(self._run.numerics), no_grad():
            samples = self._run.task.samples(self._run.model, self._run.seed)
        if samples is not None:
            save_samples(self._folder.path, samples)
