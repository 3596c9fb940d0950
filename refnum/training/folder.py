"""The folder of a run: a log that grows, and a checkpoint that is replaced."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy.typing as npt

from refnum._files import write_atomically
from refnum.training.checkpoint import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from refnum.training.history import Evaluation, History, Step
from refnum.training.log import LOG, log_line, log_lines, read_history

__all__ = ["CHECKPOINT", "Folder"]

CHECKPOINT = "checkpoint.refnum"
"""Name of the checkpoint in a run's folder."""


class Folder:
    """Where a run is kept, or, without a path, nowhere.

    Parameters
    ----------
    path : Path or None
        The folder; it is made if need be.

    Raises
    ------
    ValueError
        If the path is something else.
    OSError
        If the folder cannot be made.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._log: BinaryIO | None = None
        if path is not None:
            if path.exists() and not path.is_dir():
                raise ValueError(f"{path}: not a folder")
            path.mkdir(parents=True, exist_ok=True)

    def begin(self, history: History) -> None:
        """Begin the log of a run, or a resumed one with what is known of it.

        The log is replaced at once, by one that holds what `history` does.
        """
        if self.path is None:
            return
        place = self.path / LOG
        write_atomically(place, "".join(log_lines(history)).encode())
        self._log = place.open("ab")

    def refuse_old_run(self) -> None:
        """Raise unless the folder is free of runs."""
        for name in (LOG, CHECKPOINT):
            if self.path is not None and (self.path / name).exists():
                raise ValueError(
                    f"{self.path} holds a run: resume it, or choose another folder"
                )

    def load(self) -> tuple[History, Checkpoint] | None:
        """Return the run up to its checkpoint; None if there is no checkpoint yet."""
        if self.path is None or not (self.path / CHECKPOINT).exists():
            return None
        checkpoint = read_checkpoint(self.path / CHECKPOINT)
        history = read_history(self.path)
        done = checkpoint.facts.get("step")
        if type(done) is not int:
            raise ValueError(f"{self.path / CHECKPOINT}: it is not of a run")
        steps = [one for one in history.steps if one.step <= done]
        if [one.step for one in steps] != list(range(1, done + 1)):
            raise ValueError(f"{self.path / LOG}: steps up to {done} are missing")
        evaluations = [one for one in history.evaluations if one.step <= done]
        kept = replace(history, steps=steps, evaluations=evaluations)
        kept.outcome, kept.reason = "running", ""
        return kept, checkpoint

    def step(self, step: Step) -> None:
        """Add a step to the log."""
        self._add({"step": asdict(step)})

    def evaluation(self, evaluation: Evaluation) -> None:
        """Add an evaluation to the log."""
        self._add({"evaluation": asdict(evaluation)})

    def outcome(self, outcome: str, reason: str) -> None:
        """Add the end to the log."""
        self._add({"outcome": {"outcome": outcome, "reason": reason}})

    def save(
        self, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        """Replace the checkpoint, once all steps before it are in the stored log."""
        if self.path is None:
            return
        if self._log is not None:
            os.fsync(self._log.fileno())
        write_checkpoint(self.path / CHECKPOINT, facts, arrays)

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _add(self, event: Mapping[str, Any]) -> None:
        if self._log is not None:
            self._log.write(log_line(event).encode())
            self._log.flush()
