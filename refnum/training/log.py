"""The log of a run: JSON lines, written one by one, and read back.

First comes ``{"run": ...}`` with the settings, then ``{"step": ...}`` for each step,
``{"evaluation": ...}`` now and then, and ``{"outcome": ...}`` at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from refnum.training.history import Evaluation, History, Step, map_floats, written

__all__ = ["LOG", "log_line", "log_lines", "read_history"]

LOG = "log.jsonl"
"""Name of the log in a run's folder."""

_FORM = 1
_STEP_FIELDS = {one.name for one in fields(Step)}
_OUTCOMES = ("running", "finished", "interrupted", "diverged")


def log_lines(history: History) -> list[str]:
    """Return the log of what is known so far, without an outcome.

    Parameters
    ----------
    history : History
        Its steps and evaluations.

    Returns
    -------
    list of str
        Lines; an evaluation follows its step.
    """
    run = {"settings": history.settings, "references": history.references}
    events: list[tuple[int, int, dict[str, Any]]] = []
    events += [(one.step, 0, {"step": asdict(one)}) for one in history.steps]
    events += [
        (one.step, 1, {"evaluation": asdict(one)}) for one in history.evaluations
    ]
    events.sort(key=lambda event: event[:2])
    head = {"run": {"form": _FORM, **run}}
    return [log_line(event) for event in (head, *(event[2] for event in events))]


def log_line(event: Mapping[str, Any]) -> str:
    """Return an event as a line of JSON."""
    return json.dumps(map_floats(event, written), allow_nan=False) + "\n"


def read_history(path: Path | str) -> History:
    """Read the history of a run, also of one that goes on or was killed.

    Parameters
    ----------
    path : Path or str
        The run's folder, or the log in it.

    Returns
    -------
    History
        All that the log says; a last line that was cut short is left out.

    Raises
    ------
    ValueError
        If there is no log of a run, or a line of it is damaged.
    OSError
        If it cannot be read.
    """
    place = Path(path)
    if place.is_dir():
        place = place / LOG
        if not place.is_file():
            raise ValueError(f"{path}: no run here ({LOG} is missing)")
    elif place.exists() and not place.is_file():
        raise ValueError(f"{place}: not a file")
    whole, _, _ = place.read_bytes().rpartition(b"\n")
    try:
        return _parse(whole.split(b"\n"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{place}: not the log of a run: {error}") from None


def _parse(lines: Iterable[bytes]) -> History:
    history = None
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except ValueError:
            raise ValueError(f"line {number} is no JSON") from None
        if not isinstance(event, dict) or len(event) != 1:
            raise ValueError(f"line {number} is no event")
        ((kind, content),) = event.items()
        if history is None:
            history = _begin(kind, content)
        else:
            _add(history, kind, content, number)
    if history is None:
        raise ValueError("it is empty")
    return history


def _begin(kind: str, content: Any) -> History:
    if kind != "run" or not isinstance(content, dict):
        raise ValueError("it does not begin with a run")
    if content.get("form") != _FORM:
        raise ValueError(f"its form is {content.get('form')!r}; {_FORM} is known")
    settings, references = content["settings"], content["references"]
    if not (isinstance(settings, dict) and isinstance(references, dict)):
        raise ValueError("settings and references must be objects")  # noqa: TRY004
    return History(settings, {k: _number(v) for k, v in references.items()})


def _add(history: History, kind: str, content: Any, number: int) -> None:
    """Add one event to a history."""
    if kind == "step" and isinstance(content, dict) and set(content) == _STEP_FIELDS:
        numbers: dict[str, Any] = {k: _number(v) for k, v in content.items()}
        whole = {"step": int(content["step"]), "skipped": bool(content["skipped"])}
        history.steps.append(Step(**{**numbers, **whole}))
    elif kind == "evaluation" and isinstance(content, dict):
        values = {str(k): _number(v) for k, v in content["values"].items()}
        history.evaluations.append(Evaluation(int(content["step"]), values))
    elif kind == "outcome" and content.get("outcome") in _OUTCOMES:
        history.outcome, history.reason = content["outcome"], str(content["reason"])
    else:
        raise ValueError(f"line {number} has the unknown event {kind!r}")


def _number(value: Any) -> float:
    if isinstance(value, str) and value not in ("nan", "inf", "-inf"):
        raise ValueError(f"{value!r} is no number")
    return float(value)
