"""The search: which deviation, or which two, give what a candidate has.

All single deviations are tried; if none explains everything, pairs of different
families are, those of the best singles first. A trial is as good as the number of
cases in which its prediction has the candidate's bits; among equals the one with
fewer deviations, then with fewer changed fields of the record, comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from refnum.golden.diagnosis.deviation import (
    Deviation,
    Outputs,
    Subject,
    changes,
    patterns,
)

__all__ = ["Bench", "Trial", "search"]

_Mask = npt.NDArray[np.bool_]

_PAIR_ELEMENTS = 1 << 23  # predicted elements in the search for pairs
_FEWEST_PAIRS = 100


@dataclass(frozen=True, eq=False)
class Trial:
    """One or two deviations, and where their prediction has the candidate's bits."""

    deviations: tuple[Deviation, ...]
    hits: _Mask
    cost: int

    @property
    def score(self) -> int:
        """Cases that are as predicted."""
        return int(np.count_nonzero(self.hits))

    @property
    def vague(self) -> bool:
        """Whether two answers a case are admitted."""
        return any(one.either is not None for one in self.deviations)

    @property
    def complete(self) -> bool:
        """Whether all cases are as predicted."""
        return bool(self.hits.all())


class Bench:
    """A subject and a candidate, compared again and again.

    Cases are those of all outputs that the candidate has, one after the other. Where
    an output of the candidate has another size than the prediction, none of its cases
    is as predicted.
    """

    def __init__(self, subject: Subject, candidate: Outputs) -> None:
        self.subject = subject
        self.names = [name for name in subject.outputs if name in candidate]
        self._bits = {n: patterns(candidate[n], subject.width) for n in self.names}
        self._known: dict[object, Outputs | None] = {}
        self.equal = self.compare(subject.outputs)

    def compare(self, outputs: Outputs) -> _Mask:
        """Return which cases of the candidate have the bits of these outputs."""
        return np.concatenate([self._compare(outputs, name) for name in self.names])

    def part(self, mask: _Mask, name: str) -> _Mask:
        """Return the cases of one output."""
        sizes = [len(self._bits[n]) for n in self.names]
        start = sum(sizes[: self.names.index(name)])
        return mask[start : start + len(self._bits[name])]

    def missed_at_first(self, trial: Trial) -> int:
        """Count the cases of the first broken output that are not as predicted."""
        stage = next(n for n in self.names if not self.part(self.equal, n).all())
        return int(np.count_nonzero(~self.part(trial.hits, stage)))

    def try_out(self, deviations: tuple[Deviation, ...]) -> Trial | None:
        """Return a trial, None where the deviations say nothing new."""
        ordered = sorted(deviations, key=lambda one: not one.whole)
        record, outputs = self._predict(ordered)
        if outputs is None:
            return None
        hits = self.compare(outputs)
        cost = changes(self.subject.record, record)
        cost += sum(one.moves for one in ordered)
        for one in ordered:
            if one.either is not None:
                others = [replaced(d) if d is one else d for d in ordered]
                _, second = self._predict(others)
                if second is None:
                    return None
                hits = hits | self.compare(second)
                cost += 10  # it admits two answers: any other explanation is better
        return Trial(deviations, hits, cost)

    def _predict(self, deviations: list[Deviation]) -> tuple[object, Outputs | None]:
        record = self.subject.record
        try:
            for one in deviations:
                changed = one.record(record)
                if changed == record and not one.moves:
                    return record, None
                record = changed
            outputs = self._compute(record)
            for one in deviations:
                outputs = outputs and one.outputs(outputs)
        except (ValueError, TypeError, KeyError):
            return record, None
        return record, outputs

    def _compute(self, record: object) -> Outputs | None:
        if record not in self._known:
            try:
                with np.errstate(all="ignore"):
                    self._known[record] = self.subject.compute(record)
            except (ValueError, TypeError):
                self._known[record] = None
        return self._known[record]

    def _compare(self, outputs: Outputs, name: str) -> _Mask:
        got = self._bits[name]
        if name not in outputs:
            return np.zeros(len(got), np.bool_)
        want = patterns(outputs[name], self.subject.width)
        if want.shape != got.shape:
            return np.zeros(len(got), np.bool_)
        equal: _Mask = (got == want).all(axis=1)
        return equal


def replaced(deviation: Deviation) -> Deviation:
    """Return the second answer of a deviation that has two."""
    assert deviation.either is not None
    return Deviation(deviation.name, deviation.family, deviation.either)


def search(bench: Bench) -> list[Trial]:
    """Return the trials that are nearer to the candidate than the golden file is.

    The best comes first. Those that explain the same cases stay next to each other.
    """
    singles = list(_trials(bench, ((one,) for one in bench.subject.deviations)))
    ranked = _ranked(singles)
    if not (ranked and ranked[0].complete):
        best = {trial.deviations[0]: trial.score for trial in singles}
        pairs = _trials(bench, _pairs(bench, ranked, singles))
        ranked = _ranked(ranked + [pair for pair in pairs if _adds(pair, best)])
    baseline = int(np.count_nonzero(bench.equal))
    better = [trial for trial in ranked if trial.score > baseline]
    certain = [trial for trial in better if trial.complete or not trial.vague]
    return certain or better


def _trials(bench: Bench, combos: Iterable[tuple[Deviation, ...]]) -> Iterator[Trial]:
    yield from filter(None, map(bench.try_out, combos))


def _ranked(trials: list[Trial]) -> list[Trial]:
    """Sort by what is explained, then by simplicity; the order of the list decides.

    Two answers a case explain much by chance: they count where they explain all.
    """

    def rank(trial: Trial) -> tuple[bool, int, int, int]:
        by_chance = trial.vague and not trial.complete
        return by_chance, -trial.score, len(trial.deviations), trial.cost

    return sorted(trials, key=rank)


def _pairs(
    bench: Bench, ranked: list[Trial], singles: list[Trial]
) -> list[tuple[Deviation, ...]]:
    """Return pairs of different families, those of the best singles first."""
    least = int(np.count_nonzero(bench.equal))
    kinds = {_kind(trial): trial for trial in reversed(ranked)}
    few = [t for t in ranked if t.score <= least or kinds[_kind(t)] is t]
    tried = [trial.deviations[0] for trial in few]
    # What has no effect alone may have one after another change.
    silent = set(bench.subject.deviations) - {trial.deviations[0] for trial in singles}
    tried += [one for one in bench.subject.deviations if one in silent]
    place = {one: rank for rank, one in enumerate(tried)}
    # One deviation of two may give the first broken stage, and then hardly anything.
    for rank, trial in enumerate(sorted(few, key=bench.missed_at_first)):
        one = trial.deviations[0]
        place[one] = min(place[one], rank)
    pairs = [
        pair for pair in combinations(tried, 2) if pair[0].family != pair[1].family
    ]
    # The best single with all others, the tenth with a tenth of them.
    pairs.sort(key=lambda pair: (place[pair[0]] + 1) * (place[pair[1]] + 1))
    affordable = _PAIR_ELEMENTS // max(1, bench.equal.size)
    most = min(bench.subject.pairs, max(_FEWEST_PAIRS, affordable))
    return list(pairs[:most])


def _kind(trial: Trial) -> tuple[str, bytes]:
    """Tell singles apart: one family, the same cases explained, need one trial."""
    return trial.deviations[0].family, np.packbits(trial.hits).tobytes()


def _adds(pair: Trial, best: dict[Deviation, int]) -> bool:
    """Whether a pair explains more than each of the two does alone."""
    return pair.score > max(best.get(one, 0) for one in pair.deviations)
