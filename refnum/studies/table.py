"""Results as a report sees them: gaps to the baseline, costs, fronts.

Vocabulary. The *gap* of a run is its final loss less that of the baseline of the same
setting and seed; the *relative gap* is that over the baseline's loss. A run that
diverged has an infinite gap. A *front* holds what no other point beats in both cost
and gap.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from refnum.studies.configuration import design_in
from refnum.studies.costs import Costs
from refnum.studies.design import Design

__all__ = ["Entry", "Summary", "entries_of", "front_of", "summaries_of"]


@dataclass(frozen=True)
class Entry:
    """One run.

    Parameters
    ----------
    label : str
        Of the setting.
    design : Design or None
        None is a baseline.
    seed : int
        Its seed.
    value : float
        Its final loss; infinite if it diverged.
    baseline : float
        That of the baseline.
    line : dict
        The stored line.
    """

    label: str
    design: Design | None
    seed: int
    value: float
    baseline: float
    line: dict[str, Any]

    @property
    def gap(self) -> float:
        """Loss beyond that of the baseline."""
        return self.value - self.baseline

    @property
    def relative(self) -> float:
        """Gap over the baseline's loss."""
        return self.gap / abs(self.baseline) if self.baseline else math.inf


@dataclass(frozen=True)
class Summary:
    """All runs of one design in one setting.

    Parameters
    ----------
    label : str
        Of the setting.
    design : Design
        The design.
    entries : tuple of Entry
        A run for each seed.
    time, products : float
        Cost relative to BF16, and that of products alone.
    """

    label: str
    design: Design
    entries: tuple[Entry, ...]
    time: float
    products: float

    @property
    def gaps(self) -> list[float]:
        """The gap of each seed."""
        return [one.gap for one in self.entries]

    @property
    def gap(self) -> float:
        """Mean over seeds; infinite if one diverged."""
        return sum(self.gaps) / len(self.entries)

    @property
    def relative(self) -> float:
        """Mean relative gap."""
        return sum(one.relative for one in self.entries) / len(self.entries)

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return sum(not math.isfinite(one.value) for one in self.entries)

    @property
    def spread(self) -> float:
        """Standard deviation of the gap over seeds; NaN for a single one."""
        if len(self.gaps) < 2 or self.diverged:
            return math.nan
        squares = sum((gap - self.gap) ** 2 for gap in self.gaps)
        return math.sqrt(squares / (len(self.gaps) - 1))


def entries_of(lines: Iterable[dict[str, Any]]) -> list[Entry]:
    """Return the runs that have a baseline; failures are left out.

    Parameters
    ----------
    lines : iterable of dict
        One for each configuration.
    """
    kept = [line for line in lines if line["outcome"] != "failed"]
    values = {
        _key(line): line["value"]
        for line in kept
        if line["configuration"]["design"] is None and line["outcome"] == "finished"
    }
    found = []
    for line in kept:
        baseline = values.get(_key(line))
        if baseline is None:
            continue
        facts = line["configuration"]
        value = line["value"] if line["outcome"] == "finished" else math.inf
        design = design_in(facts["design"])
        found.append(
            Entry(facts["label"], design, facts["seed"], value, baseline, line)
        )
    return found


def summaries_of(entries: Iterable[Entry], costs: Costs) -> list[Summary]:
    """Return one summary for each setting and design, in the order of the entries."""
    groups: dict[tuple[str, Design], list[Entry]] = {}
    for entry in entries:
        if entry.design is not None:
            groups.setdefault((entry.label, entry.design), []).append(entry)
    return [
        Summary(
            label,
            design,
            tuple(sorted(group, key=lambda one: one.seed)),
            costs.time(design),
            costs.products(design),
        )
        for (label, design), group in groups.items()
    ]


def front_of(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return which points no other beats: the indices, by rising cost.

    Parameters
    ----------
    points : sequence of (float, float)
        Cost and gap. Points that are not finite are beaten by all.

    Examples
    --------
    >>> from refnum.studies.table import front_of
    >>> front_of([(1.0, 0.0), (0.5, 0.3), (0.6, 0.4), (0.7, 0.1)])
    [1, 3, 0]
    """
    order = sorted(range(len(points)), key=lambda k: (points[k], k))
    found: list[int] = []
    least = math.inf
    for place in order:
        cost, gap = points[place]
        if math.isfinite(cost) and gap < least:
            found.append(place)
            least = gap
    return found


def _key(line: dict[str, Any]) -> str:
    """Return what a run and its baseline have in common."""
    facts = line["configuration"]
    same = [facts[name] for name in ("task", "plan", "seed")]
    return json.dumps([*same, facts.get("numerics")], sort_keys=True)
