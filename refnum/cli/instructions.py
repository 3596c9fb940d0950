"""``refnum instructions``: the matrix instructions, and what stands behind each."""

from __future__ import annotations

import argparse
import json
from typing import Any

from refnum.products import INSTRUCTIONS, MatrixInstruction, instruction

__all__ = ["add_parser", "run"]

_HEADS = ("instruction", "model", "k", "terms", "bits", "evidence")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "instructions",
        help="list the matrix instructions and their evidence",
        description="List the matrix instructions: the model of a step, products of an "
        "instruction and of a step, bits kept in alignment, and the evidence.",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="arch.op.a.b.d")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table, or one instruction."""
    if args.name is not None:
        facts = _facts(instruction(args.name))
        width = max(map(len, facts))
        lines = [f"{name:{width}}  {value}" for name, value in facts.items()]
        print(json.dumps(facts, indent=1) if args.json else "\n".join(lines))
    elif args.json:
        print(json.dumps([_facts(op) for op in INSTRUCTIONS.values()], indent=1))
    else:
        rows = [_HEADS, *(_row(op) for op in INSTRUCTIONS.values())]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS) - 1)]
        for row in rows:
            cells = [c.ljust(w) for c, w in zip(row, widths, strict=False)]
            print("  ".join([*cells, row[-1]]))
    return 0


def _row(op: MatrixInstruction) -> tuple[str, ...]:
    bits = "" if op.alignment_bits is None else str(op.alignment_bits)
    return (op.name, op.model.value, str(op.k), str(op.terms), bits, str(op.evidence))


def _facts(op: MatrixInstruction) -> dict[str, Any]:
    return {
        "name": op.name,
        "a": op.a.name,
        "b": op.b.name,
        "d": op.d.name,
        "model": op.model.value,
        "k": op.k,
        "terms": op.terms,
        "alignment_bits": op.alignment_bits,
        "zero_exponent": op.zero_exponent,
        "order": op.order.value,
        "evidence": str(op.evidence),
    }
