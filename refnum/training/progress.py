"""How far a run is: a bar if tqdm is installed, otherwise a line now and then."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from refnum.training.history import Evaluation, Step

__all__ = ["Progress"]

_SECONDS = 5.0  # between two lines


class Progress:
    """Shows steps and evaluations on standard error.

    Parameters
    ----------
    total : int
        Steps of the whole run.
    done : int
        Steps that were done before.
    shown : bool
        Whether anything is shown at all.
    file : text file, optional
        Where; by default standard error.
    """

    def __init__(
        self, total: int, done: int = 0, shown: bool = True, file: TextIO | None = None
    ) -> None:
        self._total, self._shown = total, shown
        self._file = sys.stderr if file is None else file
        self._bar = self._new_bar(done) if shown and self._file.isatty() else None
        self._next = time.monotonic()

    def step(self, step: Step) -> None:
        """Show a step."""
        if self._bar is not None:
            self._bar.update(1)
            self._bar.set_postfix_str(f"loss {step.loss:.4g}", refresh=False)
        elif self._shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS
            self.say(
                f"step {step.step}/{self._total}  loss {step.loss:.4g}  "
                f"{step.seconds:.0f} s"
            )

    def evaluation(self, evaluation: Evaluation) -> None:
        """Show an evaluation."""
        found = (f"{name} {value:.4g}" for name, value in evaluation.values.items())
        self.say(f"step {evaluation.step}/{self._total}  {', '.join(found)}")

    def say(self, text: str) -> None:
        """Show a line."""
        if not self._shown:
            return
        if self._bar is not None:
            self._bar.write(text, file=self._file)
        else:
            print(text, file=self._file, flush=True)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def _new_bar(self, done: int) -> Any:
        try:
            from tqdm import tqdm
        except ImportError:
            return None
        return tqdm(total=self._total, initial=done, file=self._file, unit="step")
