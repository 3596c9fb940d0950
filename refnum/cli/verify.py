"""``refnum verify``: compare a kernel's output with a golden file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "verify",
        help="compare a kernel's output with a golden file",
        description="Compare a kernel's output with a golden file.",
        epilog="Exit status: 0 equal, 1 differences, 2 an input that cannot be used.",
    )
    parser.add_argument(
        "golden", metavar="GOLDEN", help="a golden .hex file, or a golden folder"
    )
    parser.add_argument(
        "candidate",
        metavar="CANDIDATE",
        help=".hex in the golden form, .bin (the outputs alone, little-endian), "
        ".npy (an array of them), or - for standard input; for a folder, a folder with "
        "its outputs (codes.u8.bin or codes.npy), or one such file",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Return 0 if all cases are equal, else 1."""
    from refnum.golden import FolderReport, Report, verify, verify_folder

    report: Report | FolderReport
    if Path(args.golden).is_dir():
        report = verify_folder(args.golden, args.candidate)
    else:
        report = verify(args.golden, args.candidate, stdin=sys.stdin.buffer)
    print(json.dumps(report.to_dict(), indent=1) if args.json else report)
    return 0 if report.equal else 1
