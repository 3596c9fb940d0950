"""``refnum encode``: values to codes."""

from __future__ import annotations

import argparse
import json

import numpy as np
import numpy.typing as npt

from refnum.cli.casting import add_cast_options, cast_of
from refnum.cli.values import parse_code, read_values
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
        help="decimal, hexadecimal float, inf, nan; a .npy file; - for standard input",
    )
    parser.add_argument(
        "--bits",
        action="store_true",
        help="values are the bits of a float32 or float64, in hex",
    )
    add_cast_options(parser)
    parser.add_argument(
        "--random",
        metavar="HEX",
        help="random bits of a stochastic rounding: one number for all values, or as "
        "many as there are values, joined by commas",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the code of each value."""
    fmt, cast = format(args.format), cast_of(args)
    values = read_values(args.values, bits=args.bits)
    random = None if args.random is None else _random(args.random, values.size)
    digits = -(-fmt.bits // 4)
    codes = encode(values, fmt, cast, random=random).tolist()
    words = [f"{code:0{digits}x}" for code in codes]
    if args.json:
        print(json.dumps(words))
    else:
        print(*words, sep="\n", end="\n" if words else "")
    return 0


def _random(text: str, count: int) -> npt.NDArray[np.uint32]:
    """Return the random bits of each value."""
    words = np.array([parse_code(word) for word in text.split(",")], np.uint32)
    if words.size not in (1, count):
        raise ValueError(f"--random has {words.size} numbers for {count} values")
    return np.array(np.broadcast_to(words, (count,)))
