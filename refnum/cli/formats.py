"""``refnum formats``: what there is, and the facts of one format."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from refnum.blocks import block_format, describe
from refnum.blocks import names as block_names
from refnum.formats import FORMATS, Format, NaNCodes, aliases, format
from refnum.golden.inputs import number

__all__ = ["add_parser", "format_table", "run"]

_WIDEST_TABLE = 9  # bits of the formats whose values are listed
_ROW = 8  # values a line
_HEADS = (
    *("format", "bits", "S.E.M", "bias", "largest"),
    *("smallest normal", "smallest", "infinity", "NaN"),
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "formats",
        help="list the formats, or the facts of one",
        description="List the formats, or the facts and values of one format or of one "
        "block format.",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="name or alias")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table, or one format."""
    if args.name is None:
        everything = [_facts(fmt) for fmt in FORMATS]
        print(json.dumps(everything, indent=1) if args.json else format_table())
    elif args.name.lower() in block_names():
        lines = describe(block_format(args.name))
        pairs = dict(line.split(": ", 1) for line in lines.splitlines())
        print(json.dumps(pairs, indent=1) if args.json else lines)
    else:
        fmt = format(args.name)
        text = json.dumps(_facts(fmt), indent=1) if args.json else "\n".join(_page(fmt))
        print(text)
    return 0


def format_table() -> str:
    """Return the table of all formats, as Markdown."""
    rows = [_HEADS, tuple("-" for _ in _HEADS), *(_row(fmt) for fmt in FORMATS)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    fill = "-" if row[0] == "-" else " "
    cells = (cell.ljust(width, fill) for cell, width in zip(row, widths, strict=True))
    return f"| {' | '.join(cells)} |"


def _row(fmt: Format) -> tuple[str, ...]:
    return (
        fmt.name,
        str(fmt.bits),
        f"{int(fmt.signed)}.{fmt.exponent_bits}.{fmt.mantissa_bits}",
        str(fmt.bias),
        number(fmt.max),
        number(fmt.smallest_normal),
        number(fmt.smallest_subnormal),
        "none" if fmt.infinity_code is None else _hex(fmt.infinity_code, fmt),
        _nan(fmt),
    )


def _nan(fmt: Format) -> str:
    """Return the NaN codes, of those that differ in the sign the positive ones."""
    if fmt.nan_code is None:
        return "none"
    last = _hex(fmt.nan_code, fmt)
    if fmt.nan is not NaNCodes.TOP_EXPONENT:
        return last
    return f"{_hex(fmt.max_code + 2, fmt)} to {last}"


def _hex(code: int, fmt: Format) -> str:
    return f"{code:#0{2 + -(-fmt.bits // 4)}x}"


def _facts(fmt: Format) -> dict[str, Any]:
    return {
        "name": fmt.name,
        "aliases": list(aliases(fmt)),
        "bits": fmt.bits,
        "signed": fmt.signed,
        "exponent_bits": fmt.exponent_bits,
        "mantissa_bits": fmt.mantissa_bits,
        "bias": fmt.bias,
        "max": fmt.max,
        "max_code": fmt.max_code,
        "smallest_normal": fmt.smallest_normal,
        "smallest_subnormal": fmt.smallest_subnormal,
        "emax": fmt.emax,
        "emin": fmt.emin,
        "infinity_code": fmt.infinity_code,
        "nan": fmt.nan.value,
        "nan_code": fmt.nan_code,
        "zero": fmt.zero,
        "negative_zero": fmt.has_negative_zero,
        "twos_complement": fmt.twos_complement,
    }


def _page(fmt: Format) -> Iterator[str]:
    facts = _facts(fmt)
    width = max(map(len, facts))
    for name, value in facts.items():
        if name.endswith("_code") and value is not None:
            value = _hex(value, fmt)
        text = " ".join(value) if isinstance(value, list) else value
        yield f"{name:{width}}  {'none' if text in (None, '') else text}"
    if fmt.bits <= _WIDEST_TABLE:
        yield ""
        yield from _values(fmt)


def _values(fmt: Format) -> Iterator[str]:
    """Yield rows of exact values, each row with its first code."""
    digits = -(-fmt.bits // 4)
    words = [number(value) for value in fmt.values.tolist()]
    width = max(map(len, words))
    for start in range(0, len(words), _ROW):
        row = " ".join(word.rjust(width) for word in words[start : start + _ROW])
        yield f"{start:0{digits}x}  {row}"
