"""``refnum golden``: list, write and check the golden files."""

from __future__ import annotations

import argparse
import json
import sys

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its three actions."""
    parser = subparsers.add_parser(
        "golden",
        help="list, write or check the golden files",
        description="List, write or check the golden files.",
    )
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    listing = actions.add_parser("list", help="print the path of every golden file")
    listing.add_argument("--json", action="store_true", help="print a JSON array")

    writing = actions.add_parser("write", help="generate the files into a folder")
    writing.add_argument("folder", metavar="DIR", help="made if need be")
    writing.add_argument(
        "--level",
        type=int,
        default=1,
        help="1: as in the repository; 2: every code and midpoint in every file, "
        "and many more random values (default: 1)",
    )
    writing.add_argument(
        "--seed", type=int, default=1, help="of the random values (default: 1)"
    )

    checking = actions.add_parser(
        "check", help="generate in memory and compare with a folder byte by byte"
    )
    checking.add_argument(
        "folder",
        metavar="DIR",
        nargs="?",
        help="default: ./golden, else that of the repository",
    )
    checking.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Return 0, or 1 if a checked file is not what it should be."""
    actions = {"list": _list, "write": _write, "check": _check}
    return actions[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from refnum.golden import entries

    paths = [entry.path for entry in entries()]
    print(json.dumps(paths, indent=1) if args.json else "\n".join(paths))
    return 0


def _write(args: argparse.Namespace) -> int:
    from refnum.golden import Options, write

    written = write(args.folder, Options(args.level, args.seed))
    print(f"{len(written)} files written to {args.folder}", file=sys.stderr)
    return 0


def _check(args: argparse.Namespace) -> int:
    from refnum.golden import check, find

    folder = find(args.folder)
    mismatches = check(folder)
    if args.json:
        found = [{"path": one.path, "problem": one.problem} for one in mismatches]
        print(json.dumps({"folder": str(folder), "mismatches": found}, indent=1))
    else:
        for one in mismatches:
            print(one)
    if not mismatches:
        print(f"{folder}: every file is as it is generated now", file=sys.stderr)
    return int(bool(mismatches))
