"""``refnum diagnose``: the named variant that explains a difference."""

from __future__ import annotations

import argparse
import json
import sys

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "diagnose",
        help="find the variant that explains a difference from a golden file",
        description="Find the named variant (a rounding, a scale rule, a layout, an "
        "instruction) that gives what a kernel gave instead of the golden outputs.",
        epilog="Exit status: 0 equal, 1 a difference, explained or not, 2 an input that "
        "cannot be used.",
    )
    parser.add_argument(
        "golden",
        metavar="GOLDEN",
        help="a golden .hex file, a golden folder, or a capture as FILE.npz:NAME",
    )
    parser.add_argument(
        "candidate",
        metavar="CANDIDATE",
        help="as for verify; for a folder or a capture, a folder with its outputs "
        "(codes.u8.bin or codes.npy), or one such file",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Return 0 if all cases are equal, else 1."""
    from refnum.golden import diagnose

    found = diagnose(args.golden, args.candidate, stdin=sys.stdin.buffer)
    print(json.dumps(found.to_dict(), indent=1) if args.json else found)
    return 0 if found.equal else 1
