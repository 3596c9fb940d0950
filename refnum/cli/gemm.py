"""``refnum gemm``: a library's whole product, bit for bit."""

from __future__ import annotations

import argparse
from pathlib import Path

from refnum.cli.matrices import add_operands, load_codes, load_optional, write_result
from refnum.products import gemm

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "gemm",
        help="a library's whole product, bit for bit",
        description="Print a product of codes by chained matrix instructions.",
    )
    add_operands(parser)
    parser.add_argument(
        "--promote-every",
        type=int,
        metavar="K",
        help="add partial sums of K products to a float32 total (cuBLASLt on Hopper: 128)",
    )
    parser.add_argument(
        "--split-k", type=int, default=1, metavar="N", help="slices of K"
    )
    parser.add_argument(
        "--alpha", type=float, default=1.0, help="factor of the product"
    )
    parser.add_argument("--beta", type=float, default=0.0, help="factor of C")
    parser.add_argument("--c", type=Path, metavar="FILE", help=".npy of float32")
    parser.add_argument("--bias", type=Path, metavar="FILE", help=".npy of float32")
    parser.add_argument("--to", metavar="FORMAT", help="format of the result")
    parser.add_argument("--to-scale", type=float, default=1.0, help="factor before it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print or write the product."""
    result = gemm(
        load_codes(args.a),
        load_codes(args.b),
        args.instruction,
        promote_every=args.promote_every,
        split_k=args.split_k,
        alpha=args.alpha,
        beta=args.beta,
        c=load_optional(args.c),
        bias=load_optional(args.bias),
        out=args.to,
        out_scale=args.to_scale,
        scale_a=load_optional(args.scale_a),
        scale_b=load_optional(args.scale_b),
    )
    write_result(result, args.out)
    return 0
