"""Verdicts on claims: paired differences, with intervals.

For each pair of designs, setting and seed, the difference is the worse design's
relative gap less the better one's, in per cent of the baseline's loss: positive where
the claim holds. The interval is a bootstrap over pairs, as seeds of a pair share what
the designs do; where pairs are few it is Student's, over all differences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from refnum.studies.claims import Claim, pairs_of
from refnum.studies.table import Entry

__all__ = ["CEILING", "Verdict", "judge"]

CEILING = 1.0
"""Relative gaps above this, and those of runs that diverged, count as this."""

_Vector = npt.NDArray[np.float64]
_DRAWS = 1000
_FEWEST = 3  # differences that an interval needs
_GROUPS = 6  # fewer cannot be resampled
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)


@dataclass(frozen=True)
class Verdict:
    """How a claim fares.

    Parameters
    ----------
    claim : Claim
        What was claimed.
    label : str
        The task.
    pairs, runs : int
        Pairs of designs and differences.
    mean, low, high : float
        Of the difference, in per cent of the baseline's loss.
    agreeing : float
        Share of the differences that are positive.
    closed : float
        Share of the worse designs' mean gap that the better ones close.
    diverged : tuple of (int, int)
        Runs of the better and of the worse designs that diverged.
    spread : float
        Standard deviation of the difference over seeds, within a pair and setting.
    word : str
        "holds", "in part" (less loss, but less of the gap closed than claimed),
        "opposite", "not resolved" or "no pairs".
    """

    claim: Claim
    label: str
    pairs: int
    runs: int
    mean: float
    low: float
    high: float
    agreeing: float
    closed: float
    diverged: tuple[int, int]
    spread: float
    word: str


def judge(claim: Claim, entries: Sequence[Entry], seed: int = 0) -> list[Verdict]:
    """Return a verdict for each task that has pairs; tasks differ in scale.

    Parameters
    ----------
    claim : Claim
        What is claimed.
    entries : sequence of Entry
        All runs.
    seed : int
        Of the bootstrap.
    """
    found = {(one.label, one.design, one.seed): one for one in entries if one.design}
    pairs = pairs_of(claim, {one.design for one in entries if one.design})
    groups: dict[str, list[list[tuple[Entry, Entry]]]] = {}
    where = dict.fromkeys((one.label, one.seed) for one in entries)
    for better, worse in pairs:
        by_label: dict[str, list[tuple[Entry, Entry]]] = {}
        for label, number in where:
            one = found.get((label, better, number))
            other = found.get((label, worse, number))
            if one and other:
                by_label.setdefault(label, []).append((one, other))
        for label, both in by_label.items():
            groups.setdefault(label, []).append(both)
    verdicts = [_verdict(claim, label, own, seed) for label, own in groups.items()]
    return verdicts or [_verdict(claim, "–", [], seed)]


def _verdict(
    claim: Claim, label: str, groups: list[list[tuple[Entry, Entry]]], seed: int
) -> Verdict:
    both = [pair for group in groups for pair in group]
    designs = {(one.design, other.design) for one, other in both}
    differences = [np.array([_difference(*pair) for pair in own]) for own in groups]
    every = np.concatenate(differences) if differences else np.zeros(0)
    low, high = _interval(differences, seed)
    mean = float(every.mean()) if every.size else math.nan
    sides = [one for one, _ in both], [other for _, other in both]
    ours, theirs = (sum(min(e.relative, CEILING) for e in side) for side in sides)
    closed = 1 - ours / theirs if theirs > 0 else math.nan
    lost = [sum(not math.isfinite(one.value) for one in side) for side in sides]
    within = [own.var(ddof=1) for own in differences if own.size > 1]
    return Verdict(
        claim,
        label,
        len(designs),
        len(both),
        mean,
        low,
        high,
        float((every > 0).mean()) if every.size else math.nan,
        closed,
        (lost[0], lost[1]),
        math.sqrt(sum(within) / len(within)) if within else math.nan,
        _word(claim, len(both), low, high, closed),
    )


def _difference(better: Entry, worse: Entry) -> float:
    """Return by how much the claim holds, in per cent; runs that diverged count 100."""
    return 100 * (min(worse.relative, CEILING) - min(better.relative, CEILING))


def _interval(groups: Sequence[_Vector], seed: int) -> tuple[float, float]:
    """Return bounds of 95 %: a bootstrap over groups, or Student's where they are few."""
    count = len(groups)
    runs = sum(map(len, groups))
    if runs < _FEWEST:
        return math.nan, math.nan
    if count < _GROUPS:
        every = np.concatenate(groups)
        reach = _student(runs - 1) * float(every.std(ddof=1)) / math.sqrt(runs)
        return float(every.mean()) - reach, float(every.mean()) + reach
    sums = np.array([group.sum() for group in groups])
    sizes = np.array([len(group) for group in groups])
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    low, high = np.percentile((weights @ sums) / (weights @ sizes), [2.5, 97.5])
    return float(low), float(high)


def _student(freedom: int) -> float:
    """Return the quantile 0.975 of Student's distribution, to a hundredth."""
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    return 1.96 + 2.37 / freedom + 2.8 / freedom**2


def _word(claim: Claim, runs: int, low: float, high: float, closed: float) -> str:
    if not runs:
        return "no pairs"
    if math.isnan(low):
        return "not resolved"
    if high < 0:
        return "opposite"
    if low <= 0:
        return "not resolved"
    if claim.closes and not closed >= claim.closes:
        return "in part"
    return "holds"
