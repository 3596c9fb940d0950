"""The section of a report on claims."""

from __future__ import annotations

import math
from collections.abc import Sequence

from refnum.studies.claims import Claim
from refnum.studies.document import Heading, Paragraph, Part, Table, number
from refnum.studies.table import Entry
from refnum.studies.verdicts import CEILING, Verdict, judge

__all__ = ["claims_section"]


def claims_section(claims: Sequence[Claim], entries: Sequence[Entry]) -> list[Part]:
    """Return the verdict on each claim, task by task."""
    if not claims:
        return []
    rows = [
        _verdict_row(verdict) for claim in claims for verdict in judge(claim, entries)
    ]
    columns = (
        *("claim", "source", "task", "verdict", "difference", "95 % interval"),
        *("agree", "gap closed", "seeds' spread", "runs", "diverged"),
    )
    return [
        Heading("What the literature says, and what is seen here"),
        Paragraph(
            "Each claim is judged by pairs of designs that differ in nothing else, for "
            "the same task and seed. The difference is positive where the claim holds, "
            "in per cent of the loss in full precision; runs that diverged count as a "
            f"gap of {100 * CEILING:.0f} %. A claim holds, or its opposite does, where "
            "the interval leaves out zero: a bootstrap over pairs, or Student's where there "
            "are fewer than six. Agree is the share of pairs whose "
            "difference is positive; seeds' spread the standard deviation of a "
            "difference over seeds; diverged counts runs of the better and of the "
            "worse side."
        ),
        Table(columns, tuple(rows), "Claims"),
    ]


def _verdict_row(verdict: Verdict) -> tuple[str, ...]:
    low, high = number(verdict.low), number(verdict.high)
    agreeing = (
        "–" if math.isnan(verdict.agreeing) else f"{100 * verdict.agreeing:.0f} %"
    )
    closed = "–" if math.isnan(verdict.closed) else f"{round(100 * verdict.closed)} %"
    return (
        verdict.claim.text,
        verdict.claim.source,
        verdict.label,
        verdict.word,
        number(verdict.mean),
        f"{low} to {high}" if low != "–" else "–",
        agreeing,
        closed,
        number(verdict.spread),
        str(verdict.runs),
        f"{verdict.diverged[0]} / {verdict.diverged[1]}",
    )
