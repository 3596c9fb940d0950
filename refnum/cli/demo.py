"""``refnum demo``: what an H100 computed, against refnum."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refnum.golden.hardware import Row

__all__ = ["add_parser", "run"]

_HEAD = ("capture", "cases", "equal", "differ", "every case given by")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="compare refnum with what an NVIDIA H100 computed",
        description="Compare refnum with what an NVIDIA H100 computed: every capture "
        "against the default cast, and for a difference the cast that explains it.",
        epilog="Exit status: 0 all equal or explained, 1 not, 2 no usable captures.",
    )
    parser.add_argument(
        "--golden",
        metavar="DIR",
        help="the golden files; default: ./golden, else those of the repository",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Return 0 if refnum explains every captured result, else 1."""
    from refnum.golden import find
    from refnum.golden.hardware import demonstrate

    rows = list(demonstrate(find(args.golden)))
    if args.json:
        print(json.dumps([row.to_dict() for row in rows], indent=1))
    else:
        print("\n".join(_table(rows)))
    return 0 if all(row.explained for row in rows) else 1


def _table(rows: list[Row]) -> Iterable[str]:
    width = max(len(row.capture) for row in rows)
    yield "What one NVIDIA H100 computed, against refnum's default cast"
    yield ""
    yield _line(_HEAD, width)
    for row in rows:
        unknown = row.differing is None
        differing = row.differing or 0
        counts = [f"{row.cases:,}", f"{row.cases - differing:,}", f"{differing:,}"]
        if unknown:
            counts[1:] = "?", "?"
        yield _line((row.capture, *counts, row.policy or "NOTHING"), width)
        if row.kinds:
            kinds = ", ".join(f"{n:,} {kind}" for kind, n in row.kinds.items())
            choices = ", ".join(f"{k}={v}" for k, v in row.choices.items())
            yield f"    {kinds}: {choices}"
    wrong = sum(not row.explained for row in rows)
    exact = sum(row.differing == 0 and row.explained for row in rows)
    yield ""
    verdict = f"{wrong} unexplained" if wrong else "none unexplained"
    explained = len(rows) - exact - wrong
    yield f"{len(rows)} captures: {exact} equal, {explained} explained, {verdict}"


def _line(cells: tuple[str, ...], width: int) -> str:
    name, cases, equal, differ, policy = cells
    return f"{name:<{width}}  {cases:>10}  {equal:>10}  {differ:>10}  {policy}"
