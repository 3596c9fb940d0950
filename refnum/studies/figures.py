"""Pictures of a report, drawn by matplotlib: losses, effects, spreads, laws.

Colours are those of Okabe and Ito, which people with any colour vision tell apart; no
meaning stands in colour alone. Each function returns SVG, the same for the same data.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any

from refnum.studies.effects import Effect
from refnum.studies.table import Summary, front_of

__all__ = ["COLOURS", "canvas", "cost_figure", "effect_figure", "seed_figure", "svg_of"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: small, searchable
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
_ATTRIBUTES = re.compile(r'\b(?:d|x|y)="[^"]*"')
_NAMED = 8  # points of a front that get a name


def canvas(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    heights: Sequence[float] | None = None,
) -> Any:
    """Return a matplotlib figure and its axes, row by row.

    Parameters
    ----------
    width, height : float
        In inches.
    rows, columns : int
        Of axes.
    heights : sequence of float, optional
        Of the rows, relative to each other.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
        return figure, axes.ravel()


def svg_of(figure: Any, name: str) -> str:
    """Return a figure as SVG, without dates and with identifiers made of its name."""
    import matplotlib as mpl

    memory = io.StringIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure.savefig(memory, format="svg", metadata={"Date": None, "Creator": None})
    return _ATTRIBUTES.sub(_rounded, memory.getvalue())


def _rounded(attribute: re.Match[str]) -> str:
    """Return an attribute whose coordinates have two decimals: a tenth of a pixel."""
    return re.sub(r"(\d\.\d\d)\d+", r"\1", attribute.group())


def cost_figure(summaries: Sequence[Summary]) -> str:
    """Draw loss gap against cost with the front, one panel for each setting."""
    labels = list(dict.fromkeys(one.label for one in summaries))[:6]
    columns = min(2, len(labels))
    rows = math.ceil(len(labels) / columns)
    figure, axes = canvas(4.6 * columns, 3.6 * rows, rows, columns)
    for place, label in zip(axes, labels, strict=False):
        _cost_panel(place, label, [one for one in summaries if one.label == label])
    for place in axes[len(labels) :]:
        place.set_visible(False)
    return svg_of(figure, "cost")


def _cost_panel(place: Any, label: str, summaries: Sequence[Summary]) -> None:
    alive = [one for one in summaries if math.isfinite(one.relative)]
    for published, colour, mark, name in (
        (False, COLOURS[0], "o", "design"),
        (True, COLOURS[1], "s", "published"),
    ):
        some = [one for one in alive if bool(one.design.recipe) == published]
        if some:
            place.scatter(
                [one.time for one in some],
                [100 * one.relative for one in some],
                s=14,
                c=colour,
                marker=mark,
                alpha=0.6,
                linewidths=0,
                label=name,
                rasterized=len(some) > 2000,
            )
    front = [alive[k] for k in front_of([(one.time, one.relative) for one in alive])]
    x = [one.time for one in front]
    y = [100 * one.relative for one in front]
    place.step(x, y, where="post", color=COLOURS[-1], linewidth=1.2, label="front")
    for number, (a, b) in enumerate(zip(x[:_NAMED], y[:_NAMED], strict=True), 1):
        place.annotate(
            str(number), (a, b), (3, 4), textcoords="offset points", fontsize=8
        )
    values = [100 * one.relative for one in alive]
    if values and max(values) > 10 * max(sorted(values)[len(values) // 2], 0.1):
        place.set_yscale("symlog", linthresh=max(abs(min(values)), 1.0))
    place.set(title=label, xlabel="time relative to BF16", ylabel="loss gap, %")
    place.legend(loc="best")


def effect_figure(effects: Sequence[Effect]) -> str:
    """Draw the effect of each technique with its interval, one panel for each task."""
    tasks = list(dict.fromkeys(one.task for one in effects))[:4]
    shown = [e for e in effects if e.task in tasks and math.isfinite(e.mean)]
    names = list(dict.fromkeys(f"{e.factor}: {e.level}" for e in shown))
    width, height = 3.0 + 2.4 * len(tasks), 0.9 + 0.22 * len(names)
    figure, axes = canvas(width, height, 1, len(tasks))
    for place, task in zip(axes, tasks, strict=True):
        own = {f"{e.factor}: {e.level}": e for e in shown if e.task == task}
        _effect_panel(place, [own.get(name) for name in names])
        place.set_title(task)
        place.set_yticks(
            range(len(names)), names if place is axes[0] else [""] * len(names)
        )
        place.set_ylim(len(names) - 0.5, -0.5)
    figure.supxlabel(
        "change of the loss gap, % of the baseline's loss (left is better)"
    )
    return svg_of(figure, "effects")


def _effect_panel(place: Any, effects: Sequence[Effect | None]) -> None:
    for row, one in enumerate(effects):
        if one is None:
            continue
        colour = (
            COLOURS[0] if one.high < 0 else COLOURS[1] if one.low > 0 else "#777777"
        )
        place.plot([one.low, one.high], [row, row], color=colour, linewidth=1.8)
        face = colour if one.low > 0 or one.high < 0 else "white"
        place.plot([one.mean], [row], "o", color=colour, mfc=face, markersize=4.5)
    place.axvline(0, color="#000000", linewidth=0.8)
    bounds = [abs(v) for e in effects if e for v in (e.low, e.high) if math.isfinite(v)]
    middle = sorted(bounds)[len(bounds) // 2] if bounds else 0.0
    if middle and max(bounds) > 20 * middle:
        place.set_xscale("symlog", linthresh=2 * middle)


def seed_figure(summaries: Sequence[Summary]) -> str:
    """Draw the gap of each seed for some designs, one panel for each task."""
    labels = list(dict.fromkeys(one.label for one in summaries))
    height = 0.7 * len(labels) + 0.22 * len(summaries)
    heights = [sum(one.label == label for one in summaries) + 2 for label in labels]
    figure, axes = canvas(7.2, height, len(labels), 1, heights)
    for place, label in zip(axes, labels, strict=True):
        _seed_panel(place, [one for one in summaries if one.label == label])
        place.set_title(label)
    axes[-1].set_xlabel("loss gap of each seed, %")
    return svg_of(figure, "seeds")


def _seed_panel(place: Any, summaries: Sequence[Summary]) -> None:
    every: list[float] = []
    for row, one in enumerate(summaries):
        values = [100 * e.relative for e in one.entries if math.isfinite(e.relative)]
        place.plot([min(values), max(values)], [row] * 2, color="#999999", linewidth=1)
        place.plot(values, [row] * len(values), "o", color=COLOURS[0], markersize=4)
        every += map(abs, values)
    middle = sorted(every)[len(every) // 2]
    if middle and max(every) > 10 * middle:
        place.set_xscale("symlog", linthresh=2 * middle)
    place.set_yticks(range(len(summaries)), [str(one.design) for one in summaries])
    place.set_ylim(len(summaries) - 0.5, -0.5)
    place.axvline(0, color="#000000", linewidth=0.8)
