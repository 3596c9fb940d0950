"""The part of a report on scaling laws."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from refnum.studies.design import Design
from refnum.studies.document import Figure, Heading, Paragraph, Part, Table
from refnum.studies.scaling import Law, fit_efficiency, fit_law, resampled
from refnum.studies.table import Entry

__all__ = ["law_section"]

_DRAWS = 40
Points = list[tuple[float, float, float]]
Curves = dict[Design | None, Callable[..., Any]]


def law_section(entries: Sequence[Entry]) -> list[Part]:
    """Return tables of efficiencies, for each task with three sizes and budgets."""
    families: dict[str, list[Entry]] = {}
    for one in entries:
        if math.isfinite(one.value):
            families.setdefault(one.label.split(" ")[0], []).append(one)
    parts: list[Part] = []
    for family, own in families.items():
        points: dict[Design | None, Points] = {}
        for one in own:
            line = one.line
            place = (float(line["parameters"]), float(line["examples"]), one.value)
            points.setdefault(one.design, []).append(place)
        if _is_enough(points.get(None, [])):
            parts += _family(family, points)
    return [Heading("Scaling"), *parts] if parts else []


def _is_enough(points: Points) -> bool:
    sizes, budgets = ({p[k] for p in points} for k in (0, 1))
    return len(sizes) >= 3 and len(budgets) >= 3 and min(p[0] for p in points) > 0


def _family(family: str, points: dict[Design | None, Points]) -> list[Part]:
    try:
        law = fit_law(points[None])
    except ValueError as error:
        return [Paragraph(f"{family}: no scaling law: {error}.")]
    laws = resampled(law, points[None], _DRAWS)
    rows = []
    curves: Curves = {None: law.loss}
    chosen = {d: some for d, some in points.items() if d and _is_enough(some)}
    for design, some in chosen.items():
        found = fit_efficiency(law, some, laws)
        rows.append(
            (
                str(design),
                f"{found.eff_n:.3f}",
                f"{found.low_n:.3f} to {found.high_n:.3f}",
                f"{found.eff_d:.3f}",
                f"{found.low_d:.3f} to {found.high_d:.3f}",
                str(len(some)),
            )
        )
        curves[design] = functools.partial(
            law.loss, eff_n=found.eff_n, eff_d=found.eff_d
        )
    columns = ("design", "effN", "95 % interval", "effD", "95 % interval", "runs")
    drawn = {d: some for d, some in points.items() if d is None or d in chosen}
    return [
        Paragraph(_words(family, law, len(points[None]))),
        Table(columns, tuple(rows), f"{family}: effective parameters and data"),
        *_figure(family, drawn, curves),
    ]


def _words(family: str, law: Law, runs: int) -> str:
    return (
        f"{family}: L = (A / (N effN)^a + B / (D effD)^b)^g + E, fitted to {runs} runs "
        f"in full precision: a = {law.a:.3g}, b = {law.b:.3g}, g = {law.g:.3g}, "
        f"E = {law.e:.4g}; the logarithm's residuals are {law.error:.2g} (root mean "
        "square). N counts the weights of linear layers without the head, D the tokens "
        "seen. With few sizes over a small range the exponents are loosely held; the "
        "efficiencies' intervals come from resampled residuals and runs."
    )


def _figure(
    family: str, points: dict[Design | None, Points], curves: Curves
) -> list[Part]:
    from refnum.studies.error_figures import law_figure

    caption = f"{family}: losses over tokens for each size, and the fitted laws."
    try:
        return [Figure(f"law-{family}", law_figure(points, curves), caption)]
    except ImportError:
        return []
