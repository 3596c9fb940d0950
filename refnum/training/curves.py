"""Learning curves: as a picture by matplotlib, or as text for a terminal."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refnum._files import write_atomically
from refnum.training.history import History

__all__ = ["Series", "save_curves", "series_of", "smoothed", "text_curves"]

Series = tuple[str, list[float], list[float]]
"""A name, steps, values."""

_MARKS = "*o+x#@%&"
_WIDTH, _HEIGHT = 72, 18


def smoothed(values: Sequence[float], span: int) -> list[float]:
    """Return the mean of each value and up to ``span - 1`` before it.

    Examples
    --------
    >>> from refnum.training.curves import smoothed
    >>> smoothed([1.0, 3.0, 5.0], 2)
    [1.0, 2.0, 4.0]
    """
    return [
        math.fsum(values[max(0, k - span + 1) : k + 1]) / min(k + 1, span)
        for k in range(len(values))
    ]


def series_of(
    histories: Sequence[History], names: Sequence[str]
) -> dict[str, list[Series]]:
    """Return what there is to draw: the training loss, and each evaluated number.

    Parameters
    ----------
    histories : sequence of History
        The runs.
    names : sequence of str
        What to call them.

    Returns
    -------
    dict of str to list of Series
        A series for each run that has such numbers.
    """
    panels: dict[str, list[Series]] = {"training loss": []}
    for name, history in zip(names, histories, strict=True):
        steps = [float(one.step) for one in history.steps]
        losses = [one.loss for one in history.steps]
        span = max(1, len(losses) // 50)
        panels["training loss"].append((name, steps, smoothed(losses, span)))
        for kind in dict.fromkeys(k for e in history.evaluations for k in e.values):
            at, values = history.curve(kind)
            panels.setdefault(kind, []).append((name, [float(s) for s in at], values))
    return panels


def save_curves(path: Path, histories: Sequence[History], names: Sequence[str]) -> None:
    """Write a picture of several runs over each other.

    Parameters
    ----------
    path : Path
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    histories : sequence of History
        The runs.
    names : sequence of str
        What to call them.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the path ends otherwise.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in ("png", "svg", "pdf"):
        raise ValueError(f"{path}: a picture ends in .png, .svg or .pdf")
    from matplotlib.figure import Figure

    panels = series_of(histories, names)
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, (title, series) in zip(axes, panels.items(), strict=False):
        _draw(place, title, series, _references(histories, title))
    for place in axes[len(panels) :]:
        place.set_visible(False)
    memory = io.BytesIO()
    figure.savefig(memory, format=kind, dpi=120)
    write_atomically(path, memory.getvalue())


def text_curves(title: str, series: Sequence[Series]) -> str:
    """Return curves as lines of text.

    Parameters
    ----------
    title : str
        What the values are.
    series : sequence of Series
        The curves; each has a mark of its own.

    Returns
    -------
    str
        A picture of some twenty lines.
    """
    points = [
        (x, y, _MARKS[k % len(_MARKS)])
        for k, (_, steps, values) in enumerate(series)
        for x, y in zip(steps, values, strict=True)
        if math.isfinite(y)
    ]
    if not points:
        return f"{title}: nothing to draw"
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    first, last = min(p[0] for p in points), max(p[0] for p in points)
    cells = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for x, y, mark in points:
        column = round((x - first) / ((last - first) or 1) * (_WIDTH - 1))
        row = round((high - y) / ((high - low) or 1) * (_HEIGHT - 1))
        cells[row][column] = mark
    labels = {0: f"{high:.4g}", _HEIGHT - 1: f"{low:.4g}"}
    lines = [
        f"{labels.get(k, ''):>10} |{''.join(row).rstrip()}"
        for k, row in enumerate(cells)
    ]
    ends = f"{'':>10}  {first:<{_WIDTH - 10}.0f}{last:>10.0f}"
    keys = [
        f"{'':>10}  {_MARKS[k % len(_MARKS)]} {name}"
        for k, (name, _, _) in enumerate(series)
    ]
    return "\n".join([title, *lines, ends, *keys])


def _references(histories: Sequence[History], title: str) -> dict[str, float]:
    """Return the numbers known beforehand that belong into a panel."""
    same = {"loss": ("entropy", "unigram entropy"), "risk": ("risk",)}
    return {
        name: value
        for history in histories
        for name, value in history.references.items()
        if name in same.get(title, ())
    }


def _draw(
    place: Any, title: str, series: Sequence[Series], references: dict[str, float]
) -> None:
    for name, steps, values in series:
        mark = "." if len(steps) < 60 else ""
        place.plot(steps, values, marker=mark, linewidth=1.2, label=name)
    for name, value in references.items():
        place.axhline(value, color="#777777", linestyle="--", linewidth=1, label=name)
    shown = [v for _, _, values in series for v in values if math.isfinite(v)]
    if shown and min(shown) > 0 and max(shown) > 20 * min(shown):
        place.set_yscale("log")
    place.set_title(title, fontsize=10)
    place.set_xlabel("step", fontsize=9)
    place.tick_params(labelsize=8)
    place.grid(alpha=0.3)
    place.legend(fontsize=7)
