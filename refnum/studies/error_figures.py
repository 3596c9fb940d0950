"""Pictures of what rounding did: errors by layer and role over time, scale codes."""

from __future__ import annotations

import math
from typing import Any

from refnum.recipes import ROLES
from refnum.studies.design import Design
from refnum.studies.figures import COLOURS, canvas, svg_of
from refnum.studies.table import Entry

__all__ = ["error_figure", "law_figure", "scale_figure"]

_LAYERS = 12  # lines in a panel


def error_figure(entry: Entry) -> str:
    """Draw the relative error of each operand over the steps of one run.

    Parameters
    ----------
    entry : Entry
        A run with error reports.
    """
    reports = entry.line["errors"]
    layers = list(dict.fromkeys(k for one in reports for k in one["relative_mse"]))
    layers = layers[:_LAYERS]
    figure, axes = canvas(7.4, 5.0, 2, 3)
    for place, role in zip(axes, ROLES, strict=True):
        for number, layer in enumerate(layers):
            found = [
                (one["step"], one["relative_mse"].get(layer, {}).get(role))
                for one in reports
            ]
            points = [(step, error) for step, error in found if error is not None]
            if points:
                place.plot(
                    *zip(*points, strict=True),
                    marker=".",
                    color=COLOURS[number % len(COLOURS)],
                    linestyle="-" if number < len(COLOURS) else "--",
                    label=layer or "the layer",
                )
        place.set(title=role, xlabel="step")
    axes[0].set_ylabel("relative MSE")
    axes[3].set_ylabel("relative MSE")
    handles: Any = next(
        (a.get_legend_handles_labels() for a in axes if a.lines), ([], [])
    )
    if handles[0]:
        figure.legend(*handles, loc="outside lower center", ncols=3)
    return svg_of(figure, "errors")


def scale_figure(entry: Entry) -> str:
    """Draw how often each scale code occurred, by role, in the last report of a run."""
    scales = entry.line["errors"][-1]["scales"]
    figure, axes = canvas(7.4, 4.2, 2, 3)
    for place, role in zip(axes, ROLES, strict=True):
        counts = {int(code): n for code, n in scales.get(role, {}).items()}
        total = sum(counts.values())
        codes = sorted(counts)
        if total:
            shares = [counts[code] / total for code in codes]
            place.bar(codes, shares, width=0.9, color=COLOURS[0])
        else:
            place.text(0.5, 0.5, "no scales", transform=place.transAxes, ha="center")
        place.set(title=role, xlabel="scale code")
    axes[0].set_ylabel("share")
    axes[3].set_ylabel("share")
    return svg_of(figure, "scales")


def law_figure(
    points: dict[Design | None, list[tuple[float, float, float]]],
    curves: dict[Design | None, Any],
) -> str:
    """Draw losses over tokens for each size, with the fitted laws.

    Parameters
    ----------
    points : dict of design to list of (N, D, loss)
        Runs; None is the baseline.
    curves : dict of design to callable
        From (N, D) to the fitted loss.
    """
    figure, (place,) = canvas(6.4, 4.0)
    sizes = sorted({n for some in points.values() for n, _, _ in some})
    marks = "osD^v<>"
    for number, (design, some) in enumerate(points.items()):
        colour = COLOURS[number % len(COLOURS)]
        for k, size in enumerate(sizes):
            own = sorted((d, loss) for n, d, loss in some if n == size)
            if not own:
                continue
            name = f"{design or 'full precision'}" if k == 0 else None
            x, y = zip(*own, strict=True)
            place.plot(x, y, marks[k % 7], color=colour, label=name, markersize=4)
            if design in curves:
                low, high = math.log(min(x)), math.log(max(x))
                grid = [math.exp(low + (high - low) * t / 40) for t in range(41)]
                fitted = [float(curves[design](size, d)) for d in grid]
                place.plot(grid, fitted, color=colour, linewidth=1)
    place.set(xscale="log", xlabel="tokens", ylabel="loss, nats")
    place.set_title(
        "marks: "
        + ", ".join(f"{marks[k % 7]} {n:.3g}" for k, n in enumerate(sizes))
        + " parameters",
        fontsize=9,
    )
    place.legend()
    return svg_of(figure, "law")
