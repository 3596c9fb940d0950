"""Results: lines of JSON, one for each training, that only ever grow.

One process appends. A line that was cut short, as the process was killed or the disk
full, is taken away when the file is next opened for writing; the lines before it stay.
A configuration may have several lines: failures, and what came of later tries.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from refnum.studies.measuring import FORM

__all__ = ["RESULTS", "Results", "latest", "read_results"]

RESULTS = "results.jsonl"
"""Name of the file in a study's folder."""

_OUTCOMES = ("finished", "diverged", "failed")


class Results:
    """The results of a study, open for adding.

    Parameters
    ----------
    folder : Path
        Where they are; made if need be.

    Raises
    ------
    ValueError
        If another process adds to them, or a line is damaged.
    OSError
        If they cannot be read or written.

    Notes
    -----
    Use it in a ``with`` block.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / RESULTS
        # Held over the life of this object; closed by `close`.
        self._file: IO[bytes] = self.path.open("a+b", buffering=0)
        try:
            _lock(self._file, self.path)
            self.repaired = self._repair()
            self.lines = latest(read_results(self.path))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, line: dict[str, Any]) -> None:
        """Append a line, on disk once this returns."""
        text = json.dumps(line, allow_nan=False, separators=(",", ":")) + "\n"
        data = text.encode()
        written = self._file.write(data)
        while written < len(data):  # a nearly full disk takes a part, then raises
            written += self._file.write(data[written:])
        os.fsync(self._file.fileno())
        self.lines[line["id"]] = line

    def _repair(self) -> int:
        """Take an unfinished last line away; return how many bytes it had."""
        self._file.seek(0)
        data = self._file.read()
        keep = data.rfind(b"\n") + 1
        if keep == len(data):
            return 0
        self._file.truncate(keep)
        os.fsync(self._file.fileno())
        return len(data) - keep


def read_results(folder: Path | str) -> list[dict[str, Any]]:
    """Read all lines, in their order.

    Parameters
    ----------
    folder : Path or str
        The study's folder, or a file of results.

    Returns
    -------
    list of dict
        As `refnum.studies.measure` returns them; an unfinished last line is left out.

    Raises
    ------
    ValueError
        If there are none, or a line is no result; the message says which.
    OSError
        If they cannot be read.
    """
    path = Path(folder)
    if path.is_dir():
        path = path / RESULTS
        if not path.is_file():
            raise ValueError(f"{folder}: no results here ({RESULTS} is missing)")
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return list(_parse(whole, path)) if whole else []


def latest(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return one line for each configuration: the last success, or the last failure."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        known = found.get(line["id"])
        if known is None or known["outcome"] == "failed" or line["outcome"] != "failed":
            found[line["id"]] = line
    return found


def _parse(whole: bytes, path: Path) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(whole.split(b"\n"), 1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"{path}, line {number}: no JSON") from None
        if why := _defect(line):
            raise ValueError(f"{path}, line {number}: no result: {why}")
        yield line


def _defect(line: Any) -> str:
    """Return what keeps a line from being a result, or nothing."""
    if not isinstance(line, dict):
        return "it is no object"
    if line.get("form") != FORM:
        return f"its form is {line.get('form')!r}; {FORM} is known"
    if not isinstance(line.get("id"), str) or line.get("outcome") not in _OUTCOMES:
        return "it has no id or no outcome"
    facts = line.get("configuration")
    wanted = {"task": dict, "plan": dict, "label": str, "seed": int}
    if not isinstance(facts, dict) or "design" not in facts:
        return "it has no configuration"
    for name, kind in wanted.items():
        if not isinstance(facts.get(name), kind):
            return f"its configuration has no {name}"
    if line["outcome"] == "finished" and not isinstance(line.get("value"), int | float):
        return "it has no value"
    return ""


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep other processes from adding, where the system can."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"{path}: another sweep is adding to it") from None
