"""`sweep`: train all configurations of a study that have no result yet.

This process alone adds to the results. A worker that dies takes nothing along but what
was in flight; that runs again, one call at a time, so that a configuration which kills
its worker is told from those that were beside it.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from refnum.studies.configuration import Configuration
from refnum.studies.measuring import FORM, measure
from refnum.studies.results import Results
from refnum.studies.workers import Workers, workers_of

__all__ = ["Progress", "sweep"]

_DEATHS = 3  # of workers, with a configuration in flight, before it is given up


@dataclass
class Progress:
    """How far a sweep is.

    Parameters
    ----------
    wanted, known : int
        Configurations of the study, and those that had a result before.
    todo : int
        Those that this sweep trains.
    outcomes : Counter
        What became of them.
    deaths : int
        How often workers died.
    repaired : int
        Bytes of an unfinished line that were taken away.
    """

    wanted: int
    known: int
    todo: int
    outcomes: Counter[str] = field(default_factory=Counter)
    deaths: int = 0
    repaired: int = 0

    @property
    def done(self) -> int:
        """How many were trained."""
        return sum(self.outcomes.values())


def sweep(
    configurations: Sequence[Configuration],
    out: Path | str,
    *,
    executor: str = "processes",
    workers: int | None = None,
    retry_failed: bool = False,
    limit: int | None = None,
    tell: Callable[[Progress, dict[str, Any] | None], object] | None = None,
) -> Progress:
    """Train all configurations without a result, and store what comes of them.

    Parameters
    ----------
    configurations : sequence of Configuration
        As `Study.configurations`.
    out : Path or str
        A folder; results that are there already count.
    executor : str
        ``processes``, ``threads`` or ``dask:ADDRESS``.
    workers : int, optional
        How many; as many as there are processors without.
    retry_failed : bool
        Whether those that failed are tried again.
    limit : int, optional
        Train no more than so many.
    tell : callable, optional
        Is called at the beginning, and with each line once it is stored.

    Returns
    -------
    Progress
        What was done.

    Raises
    ------
    ValueError
        If an argument is out of range, or the stored results are damaged.
    KeyboardInterrupt
        At Ctrl-C; what was stored stays.
    """
    if limit is not None and (isinstance(limit, bool) or limit < 0):
        raise ValueError(f"limit is {limit!r}; 0 or more is allowed")
    wanted = {one.id: one for one in configurations}
    with Results(Path(out)) as results:
        todo = [
            one
            for name, one in wanted.items()
            if name not in results.lines
            or (retry_failed and results.lines[name]["outcome"] == "failed")
        ][:limit]
        known = sum(name in results.lines for name in wanted)
        progress = Progress(len(wanted), known, len(todo), repaired=results.repaired)
        tell = tell or (lambda *_: None)
        tell(progress, None)
        if todo:
            count = _processors() if workers is None else workers
            crew = workers_of(executor, min(count, len(todo)) if count > 0 else count)
            try:
                _Loop(crew, results, progress, tell).run(todo)
            finally:
                crew.close()
    return progress


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Loop:
    """What is in flight, what waits, and what a dead worker took along."""

    def __init__(
        self,
        crew: Workers,
        results: Results,
        progress: Progress,
        tell: Callable[[Progress, dict[str, Any] | None], object],
    ) -> None:
        self._crew, self._results = crew, results
        self._progress, self._tell = progress, tell
        self._flying: dict[Future[Any], Configuration] = {}
        self._waiting: deque[Configuration] = deque()
        self._suspects: deque[Configuration] = deque()
        self._deaths: Counter[str] = Counter()

    def run(self, todo: Sequence[Configuration]) -> None:
        """Train all."""
        self._waiting.extend(todo)
        while self._waiting or self._suspects or self._flying:
            self._submit()
            done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
            lost = [self._flying[one] for one in done if not self._settle(one)]
            if lost:
                self._bury(lost)

    def _submit(self) -> None:
        """Put as many in flight as there are workers; suspects fly alone."""
        while self._suspects or self._waiting:
            room = 1 if self._suspects else self._crew.count
            if len(self._flying) >= room:
                return
            source = self._suspects or self._waiting
            one = source.popleft()
            try:
                self._flying[self._crew.submit(measure, one)] = one
            except Exception as error:
                if not self._crew.lost(error):
                    raise
                source.appendleft(one)  # the pool broke before it began
                if not self._flying:
                    self._crew.rebuild()
                return
            if source is self._suspects:
                return

    def _settle(self, future: Future[Any]) -> bool:
        """Store what a call returned; return False if its worker died."""
        configuration = self._flying[future]
        try:
            line = future.result()
        except CancelledError as error:
            line = _failure(configuration, f"cancelled: {error!r}")
        except Exception as error:  # noqa: BLE001 whatever it is, it is recorded
            if self._crew.lost(error):
                return False
            line = _failure(configuration, f"{type(error).__name__}: {error}")
        del self._flying[future]
        self._store(line)
        return True

    def _bury(self, lost: list[Configuration]) -> None:
        """Make new workers, and run again what the old ones had."""
        # All that were in flight in a broken pool are lost, some a moment later.
        wait(self._flying)
        lost_ids = {one.id for one in lost}
        for future in list(self._flying):
            one = self._flying[future]
            if one.id in lost_ids or not self._settle(future):
                lost_ids.add(one.id)
                self._flying.pop(future, None)
                self._suspect(one)
        self._progress.deaths += 1
        self._crew.rebuild()

    def _suspect(self, one: Configuration) -> None:
        self._deaths[one.id] += 1
        if self._deaths[one.id] < _DEATHS:
            self._suspects.append(one)
            return
        times = self._deaths[one.id]
        self._store(
            _failure(one, f"its worker died {times} times, the last time alone")
        )

    def _store(self, line: dict[str, Any]) -> None:
        self._results.add(line)
        self._progress.outcomes[line["outcome"]] += 1
        self._tell(self._progress, line)


def _failure(configuration: Configuration, error: str) -> dict[str, Any]:
    return {
        "form": FORM,
        "id": configuration.id,
        "configuration": configuration.facts(),
        "outcome": "failed",
        "error": error,
    }
