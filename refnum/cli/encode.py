"""``refnum encode``: values to codes."""

from __future__ import annotations

import argparse
import json

import numpy as np

from refnum.cli.casting import add_cast_options, cast_of
from refnum.cli.values import parse_value
from refnum.formats import encode, format

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "encode",
        help="convert values to codes",
        description="Convert values to codes, one hexadecimal code a line.",
    )
    parser.add_argument("format", metavar="FORMAT", help="name or alias of a format")
    parser.add_argument(
        "values",
        metavar="VALUE",
        nargs="+",
        help="decimal, hexadecimal float, inf, nan",
    )
    parser.add_argument(
        "--bits", action="store_true", help="values are the bits of a float32, in hex"
    )
    add_cast_options(parser)
    parser.add_argument("--random", metavar="HEX", help="random bits, the same for all")
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the code of each value."""
    fmt, cast = format(args.format), cast_of(args)
    values = np.array([parse_value(text, bits=args.bits) for text in args.values])
    random = None
    if args.random is not None:
        random = np.full(values.shape, int(args.random, 16), np.uint32)
    digits = -(-fmt.bits // 4)
    codes = [f"{code:0{digits}x}" for code in encode(values, fmt, cast, random=random)]
    print(json.dumps(codes) if args.json else "\n".join(codes))
    return 0
