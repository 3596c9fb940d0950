"""``refnum mma``: what a matrix instruction writes."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from refnum.cli.matrices import add_operands, load_codes, load_optional, write_result
from refnum.formats import FP16
from refnum.products import instruction, mma

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "mma",
        help="what a matrix instruction writes",
        description="Print D = A B + C, each element's bits as the chip writes them.",
    )
    add_operands(parser)
    parser.add_argument(
        "c",
        metavar="C",
        type=Path,
        nargs="?",
        help=".npy of values of the type of D, (..., M, N); default: zeros",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print or write D."""
    op = instruction(args.instruction)
    c = load_optional(args.c)
    if c is None:
        c = np.zeros((1, 1), np.float16 if op.d == FP16 else np.float32)
    scales = load_optional(args.scale_a), load_optional(args.scale_b)
    a, b = load_codes(args.a), load_codes(args.b)
    write_result(mma(a, b, c, op, scale_a=scales[0], scale_b=scales[1]), args.out)
    return 0
