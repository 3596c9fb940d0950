"""``refnum decode``: codes to values."""

from __future__ import annotations

import argparse
import json

import numpy as np

from refnum.cli.values import read_codes
from refnum.formats import decode, format

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "decode",
        help="convert codes to values",
        description="Convert hexadecimal codes to values, one a line. The decimal "
        "numbers are the shortest that name the value in float64.",
    )
    parser.add_argument("format", metavar="FORMAT", help="name or alias of a format")
    parser.add_argument(
        "codes",
        metavar="CODE",
        nargs="+",
        help="a hexadecimal code; a .npy file of integers; - for standard input",
    )
    parser.add_argument("--hex", action="store_true", help="print hexadecimal floats")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array of words"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the value of each code."""
    fmt = format(args.format)
    values = decode(read_codes(args.codes), fmt, np.float64).tolist()
    words = [value.hex() if args.hex else f"{value!r}" for value in values]
    if args.json:
        print(json.dumps(words))
    else:
        print(*words, sep="\n", end="\n" if words else "")
    return 0
