"""The sections of a report: tables and pictures of what was trained."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from refnum.studies.costs import Costs
from refnum.studies.document import Figure, Heading, Paragraph, Part, Table, number
from refnum.studies.effects import effects_of, scores_of
from refnum.studies.error_figures import error_figure, scale_figure
from refnum.studies.figures import cost_figure, effect_figure, seed_figure
from refnum.studies.table import Entry, Summary, front_of

__all__ = [
    "cost_section",
    "effect_section",
    "error_section",
    "failure_section",
    "overview",
    "score_section",
    "seed_section",
]

_BEST = 10  # rows of scores in a table
_SPREAD = 14  # designs of a task whose seeds are drawn
_SEED_PANELS = 3
_FEWEST = 4  # designs of a setting that a front is drawn of
_ROWS = 60  # designs of one setting in a table


def overview(
    lines: dict[str, dict[str, Any]], entries: Sequence[Entry], costs: Costs
) -> list[Part]:
    """Return how many runs there are, and the losses in full precision."""
    outcomes = Counter(line["outcome"] for line in lines.values())
    said = ", ".join(f"{outcomes[key]} {key}" for key in sorted(outcomes))
    seconds = sum(line.get("seconds", 0.0) for line in lines.values())
    rows = []
    for label in dict.fromkeys(one.label for one in entries):
        own = [one for one in entries if one.label == label]
        base = [one.value for one in own if one.design is None]
        designs = {one.design for one in own if one.design is not None}
        mean = sum(base) / len(base)
        cells = (label, own[0].line["measure"], str(len(designs)), str(len(base)))
        rows.append((*cells, number(mean, 5), number(max(base) - min(base))))
    return [
        Paragraph(
            f"{len(lines)} configurations: {said}; {seconds / 60:.1f} minutes of one "
            f"processor. Costs are those of {costs.model}."
        ),
        Table(
            ("task", "measure", "designs", "seeds", "baseline", "its range"),
            tuple(rows),
            "What was trained, and the loss in full precision",
        ),
        Paragraph(
            "The loss gap of a run is its final loss less that of full precision of the "
            "same task and seed, in per cent of the latter. Time counts products and "
            "the work around them relative to BF16; products counts them alone."
        ),
    ]


def cost_section(summaries: Sequence[Summary]) -> list[Part]:
    """Return the fronts: a picture, and a table for each task with several designs."""
    counts = Counter(one.label for one in summaries)
    fewest = min(_FEWEST, max(counts.values(), default=0))
    summaries = [one for one in summaries if counts[one.label] >= fewest]
    if not summaries:
        return []
    parts: list[Part] = [Heading("Loss against cost")]
    parts += _draw(
        "cost",
        lambda: cost_figure(summaries),
        "Loss gap against time, one point for each design, means over seeds. Numbers "
        "are the rows of the tables below that lie on the front.",
    )
    for label in dict.fromkeys(one.label for one in summaries):
        own = [one for one in summaries if one.label == label]
        front = [own[k] for k in front_of([(one.time, one.relative) for one in own])]
        rest = sorted(
            (one for one in own if one not in front),
            key=lambda one: (one.relative, one.time, str(one.design)),
        )
        places = [str(k) for k in range(1, len(front) + 1)] + [""] * len(rest)
        table = list(zip(places, [*front, *rest], strict=True))
        shown = [_design_row(mark, one) for mark, one in table[:_ROWS]]
        left = len(table) - len(shown)
        more = f"; {left} designs of larger gap are left out" if left else ""
        columns = (
            *("front", "design", "time", "products", "gap, %", "least", "largest"),
            *("seeds", "diverged"),
        )
        parts.append(Table(columns, tuple(shown), f"{label}: the front first{more}"))
    return parts


def _design_row(mark: str, one: Summary) -> tuple[str, ...]:
    relative = [100 * entry.relative for entry in one.entries]
    return (
        mark,
        str(one.design),
        f"{one.time:.3f}",
        f"{one.products:.3f}",
        number(100 * one.relative),
        number(min(relative)),
        number(max(relative)),
        str(len(relative)),
        str(one.diverged),
    )


def effect_section(entries: Sequence[Entry]) -> list[Part]:
    """Return what each technique does, task by task."""
    effects = effects_of(entries)
    if not effects:
        return []
    rows = tuple(
        (
            one.task,
            one.factor,
            one.level,
            one.reference,
            number(one.mean),
            number(one.low),
            number(one.high),
            str(one.designs),
        )
        for one in effects
    )
    return [
        Heading("The effect of each technique"),
        Paragraph(
            "A linear regression of the relative gap on one indicator for each choice, "
            "over all designs of a task; less is better. Intervals are a bootstrap over "
            "designs. A gap counts as no more than five times the task's median, and "
            "20 % at most, so that designs that fail do not speak for all. A dash says "
            "that the designs cannot tell a choice from others."
        ),
        *_draw(
            "effects",
            lambda: effect_figure(effects),
            "Change of the loss gap by each choice against its reference, with 95 % "
            "intervals. Filled marks: the interval leaves out zero.",
        ),
        Table(
            (
                "task",
                "factor",
                "choice",
                "against",
                "change, %",
                "low",
                "high",
                "designs",
            ),
            rows,
            "Effects",
        ),
    ]


def score_section(summaries: Sequence[Summary]) -> list[Part]:
    """Return the designs that gain most for each technique."""
    scores = scores_of(summaries)
    if not scores:
        return []
    parts: list[Part] = [
        Heading("Gain for each point of complexity"),
        Paragraph(
            "Each technique counts one point. The score is the share by which a loss is "
            "below the median of comparable designs (within 20 % of the baseline), for "
            "each point."
        ),
    ]
    for label in dict.fromkeys(one.label for _, _, one in scores):
        rows = tuple(
            (str(one.design), number(100 * score), str(points), f"{one.time:.3f}")
            for score, points, one in scores
            if one.label == label
        )
        columns = ("design", "score, %", "points", "time")
        parts.append(Table(columns, rows[:_BEST], f"{label}: the {_BEST} best scores"))
    return parts


def seed_section(summaries: Sequence[Summary]) -> list[Part]:
    """Return how much seeds differ, beside the gaps."""
    several = [one for one in summaries if len(one.entries) > 1 and not one.diverged]
    if not several:
        return []
    rows = []
    for label in dict.fromkeys(one.label for one in several):
        own = [one for one in several if one.label == label]
        base = abs(own[0].entries[0].baseline)
        spreads = sorted(100 * one.spread / base for one in own)
        gaps = sorted(100 * one.relative for one in own)
        middle = len(own) // 2
        cells = (number(spreads[middle]), number(spreads[-1]), number(gaps[middle]))
        rows.append((label, str(len(own)), *cells))
    chosen = []
    for row in sorted(rows, key=lambda row: -int(row[1]))[:_SEED_PANELS]:
        own = sorted(
            (s for s in several if s.label == row[0]), key=lambda s: s.relative
        )
        chosen += own[:: max(1, math.ceil(len(own) / _SPREAD))]
    return [
        Heading("How much seeds differ"),
        Table(
            ("task", "designs", "median spread, %", "largest", "median gap, %"),
            tuple(rows),
            "Standard deviation of the gap over seeds, beside the gap itself",
        ),
        *_draw(
            "seeds",
            lambda: seed_figure(chosen),
            "The gap of each seed, for designs from the smallest gap to the largest.",
        ),
    ]


def error_section(entries: Sequence[Entry]) -> list[Part]:
    """Return errors and scale codes of the run with the most layers."""
    reported = [one for one in entries if one.line.get("errors")]
    if not reported:
        return []
    # The run with the most layers; of several, the first.
    one = max(reported, key=lambda e: len(e.line["errors"][-1]["relative_mse"]))
    what = f"{one.label}, {one.design}, seed {one.seed}"
    return [
        Heading("Errors while training"),
        *_draw(
            "errors",
            lambda: error_figure(one),
            f"Relative error of each operand, by role and layer, over steps: {what}.",
        ),
        *_draw(
            "scales",
            lambda: scale_figure(one),
            f"Share of each scale code by role at the last report: {what}.",
        ),
    ]


def failure_section(lines: dict[str, dict[str, Any]]) -> list[Part]:
    """Return what raised exceptions."""
    failed = [line for line in lines.values() if line["outcome"] == "failed"]
    if not failed:
        return []
    rows = tuple(
        (
            line["id"],
            line["configuration"]["label"],
            line["error"].strip().split("\n")[-1],
        )
        for line in failed
    )
    return [
        Heading("What failed"),
        Table(("id", "task", "error"), rows, "The results hold the whole tracebacks"),
    ]


def _draw(name: str, draw: Callable[[], str], caption: str) -> list[Part]:
    """Return a figure, or a sentence where matplotlib is not installed."""
    try:
        return [Figure(name, draw(), caption)]
    except ImportError:
        text = (
            "No picture, as matplotlib is not installed (pip install 'refnum[plot]'): "
        )
        return [Paragraph(text + caption)]
