"""``refnum decode``: codes to values."""

from __future__ import annotations

import argparse
import json

import numpy as np

from refnum.cli.values import parse_code
from refnum.formats import decode, format

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "decode",
        help="convert codes to values",
        description="Convert hexadecimal codes to values, one a line.",
    )
    parser.add_argument("format", metavar="FORMAT", help="name or alias of a format")
    parser.add_argument("codes", metavar="CODE", nargs="+", help="a hexadecimal code")
    parser.add_argument("--hex", action="store_true", help="print hexadecimal floats")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array of words"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the value of each code."""
    codes = np.array([parse_code(text) for text in args.codes], np.int64)
    values = decode(codes, format(args.format), np.float64).tolist()
    words = [value.hex() if args.hex else f"{value!r}" for value in values]
    print(json.dumps(words) if args.json else "\n".join(words))
    return 0
