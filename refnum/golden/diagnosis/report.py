"""What a diagnosis found: the `Diagnosis` record and its parts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from refnum.golden.diagnosis.maps import Map

_LISTED = 8  # alternatives in the text

__all__ = ["Diagnosis", "Finding", "Remaining"]


@dataclass(frozen=True)
class Finding:
    """One explanation: a deviation, or two that combine.

    Parameters
    ----------
    deviations : tuple of str
        Names of what differs.
    explained : int
        Differing cases whose bits it gives.
    broken : int
        Cases that are equal to the golden file, but would not be under it.
    share_of_differing, share_of_all : float
        Explained cases among those that differ, and cases with the predicted bits
        among all.
    changes : int
        Fields of the record that it changes.
    alternatives : tuple of tuple of str
        Other explanations of the very same cases: this file cannot tell them apart.
    """

    deviations: tuple[str, ...]
    explained: int
    broken: int
    share_of_differing: float
    share_of_all: float
    changes: int
    alternatives: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        """The names, joined."""
        return " and ".join(self.deviations)

    @property
    def complete(self) -> bool:
        """Whether every case has the predicted bits."""
        return self.share_of_all == 1.0


@dataclass(frozen=True)
class Remaining:
    """One case that the best finding does not explain. Values are texts."""

    output: str
    place: str
    inputs: str
    got: str
    want: str
    reason: str

    def __str__(self) -> str:
        given = f": {self.inputs}" if self.inputs else ""
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.output} {self.place}{given}: got {self.got}, want {self.want}{reason}"


@dataclass(frozen=True)
class Diagnosis:
    """Why a candidate differs from a golden file.

    Parameters
    ----------
    golden, candidate : str
        What was compared.
    cases, differing : int
        How many cases there are, and how many differ.
    stage : str
        The first output that differs in the order in which a kernel computes them;
        empty where all are equal.
    findings : tuple of Finding
        Explanations, the best first.
    unexplained : int
        Cases that the best finding does not give, or all that differ.
    remaining : tuple of Remaining
        The first of these.
    map : Map, optional
        Where the first differing output differs.
    """

    golden: str
    candidate: str
    cases: int
    differing: int
    stage: str
    findings: tuple[Finding, ...]
    unexplained: int
    remaining: tuple[Remaining, ...]
    map: Map | None

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.differing == 0

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis in JSON's types."""
        return {**asdict(self), "equal": self.equal}

    def __str__(self) -> str:
        if self.equal:
            return f"equal: all {self.cases} cases of {self.golden}"
        share = f"{100 * self.differing / self.cases:.3g} %"
        lines = [f"{self.differing} of {self.cases} cases differ ({share})"]
        lines.append(f"first difference: {self.stage}")
        lines += self._found()
        if self.unexplained:
            lines.append(f"not explained: {self.unexplained} cases")
            lines += [f"  {one}" for one in self.remaining]
        if self.map is not None:
            lines.append(str(self.map))
        return "\n".join(lines)

    def _found(self) -> list[str]:
        if not self.findings:
            return ["no known variant comes nearer than the golden file"]
        lines = []
        for place, one in enumerate(self.findings):
            word = "explained by" if place == 0 else "or, less well, by"
            lines.append(f"{word}: {one.name}")
            broken = f", would break {one.broken} others" if one.broken else ""
            lines.append(
                f"  {one.explained} of the {self.differing} that differ "
                f"({100 * one.share_of_differing:.3g} %); "
                f"{100 * one.share_of_all:.3g} % of all as predicted{broken}"
            )
            if one.alternatives:
                lines.append("  cannot be told apart by this file:")
                names = [" and ".join(each) for each in one.alternatives]
                lines += [f"    {each}" for each in names[:_LISTED]]
                more = len(names) - _LISTED
                lines += [f"    and {more} more"] if more > 0 else []
        return lines
