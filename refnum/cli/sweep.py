"""``refnum sweep``: train all configurations of a study."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["add_parser", "run"]

_INTERRUPTED = 130


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "sweep",
        help="train all configurations of a study",
        description="Train recipes x tasks x seeds, as a TOML file says, and store a "
        "line of results for each. What has a result is not trained again, so that a "
        "sweep goes on where it was stopped or killed.",
        epilog="Exit status: 0 all have a result, 1 some failed, 2 wrong usage or "
        "unreadable input, 130 interrupted.",
    )
    parser.add_argument("study", metavar="STUDY.toml", help="what is trained")
    parser.add_argument(
        "--out", metavar="DIR", help="default: the study's name without .toml"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="default: as many as processors"
    )
    parser.add_argument(
        "--executor",
        default="processes",
        help="processes (default), threads, or dask:ADDRESS of a scheduler",
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="train those that failed again"
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="train no more than N configurations"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be trained"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, and print the folder."""
    from refnum.studies import read_study, save_study, sweep

    path = Path(args.study)
    study = read_study(path)
    if args.dry_run:
        for one in study.configurations:
            print(f"{one.id} {one}")
        _say(args, f"{len(study.configurations)} configurations")
        _say(args, *study.refused)
        return 0
    out = Path(args.out) if args.out else path.with_suffix("")
    save_study(path, out)
    if study.refused:
        _say(args, f"{len(study.refused)} points of the space are no recipes")
    try:
        progress = sweep(
            study.configurations,
            out,
            executor=args.executor,
            workers=args.workers,
            retry_failed=args.retry_failed,
            limit=args.limit,
            tell=None if args.quiet else _Teller(),
        )
    except KeyboardInterrupt:
        print(f"refnum: interrupted; run it again to go on in {out}", file=sys.stderr)
        return _INTERRUPTED
    print(out)
    return int(progress.outcomes["failed"] > 0)


def _say(args: argparse.Namespace, *lines: str) -> None:
    if not args.quiet:
        print("\n".join(lines), file=sys.stderr)


class _Teller:
    """Says on standard error how far a sweep is."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, progress: Any, line: dict[str, Any] | None) -> None:
        from refnum.studies import design_of

        if line is None:
            if progress.repaired:
                self._print(f"took away an unfinished line ({progress.repaired} bytes)")
            self._print(
                f"{progress.wanted} configurations, {progress.known} have a result, "
                f"{progress.todo} to train"
            )
            return
        spent = time.monotonic() - self._start
        left = spent / progress.done * (progress.todo - progress.done)
        facts = line["configuration"]["design"]
        what = "full precision" if facts is None else str(design_of(facts))
        value = line.get("value")
        said = line["outcome"] if value is None else f"{line['measure']} {value:.5g}"
        self._print(
            f"{progress.done}/{progress.todo} {line['configuration']['label']}, {what}, "
            f"seed {line['configuration']['seed']}: {said} ({left:.0f} s left)"
        )

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
