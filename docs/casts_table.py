"""Write the tables of casts.md: what each library makes of the same values.

Usage: python docs/casts_table.py

The tables stand between two markers in casts.md and are computed by the casts of
`rn.casts`. A library has a row in the table of a format that it converts to.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

import refnum as rn
from refnum.cli.libraries import libraries_of
from refnum.golden.inputs import number

PAGE = Path(__file__).with_name("casts.md")
BEGIN, END = "<!-- casts -->\n", "<!-- /casts -->"
FORMATS = rn.E4M3, rn.E5M2, rn.E2M1, rn.UE8M0
VALUES = {
    "465": 465.0,
    "480": 480.0,
    "1e9": 1e9,
    "inf": math.inf,
    "NaN": math.nan,
    "-NaN": math.copysign(math.nan, -1),
    "-0": -0.0,
}


def render(text: str) -> str:
    """Return the page with the tables as they are computed now."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{tables()}\n{END}{tail}"


def tables() -> str:
    """Return a heading and a table for each format."""
    return "\n".join(f"### {fmt.name.upper()}\n\n{_table(fmt)}" for fmt in FORMATS)


def _table(fmt: rn.Format) -> str:
    values = VALUES if fmt.signed else {**VALUES, "-1": -1.0}
    rows = [
        (f"`{name}`", *(_cell(name, x, fmt) for x in values.values()))
        for name in libraries_of(fmt)
    ]
    head = "cast", *values
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = tuple("-" * width for width in widths)
    return "".join(
        f"| {' | '.join(map(str.ljust, row, widths))} |\n"
        for row in (head, rule, *rows)
    )


def _cell(name: str, x: float, fmt: rn.Format) -> str:
    """Return the answer of a library; of a stochastic one, for the extreme draws."""
    cast = libraries_of(fmt, finite=math.isfinite(x)).get(name)
    if cast is None:
        return "."
    if cast.random_bits is None:
        return _word(int(rn.encode(x, fmt, cast)), fmt)
    draws = np.array([0, 2**cast.random_bits - 1], np.uint32)
    codes = rn.encode([x, x], fmt, cast, random=draws).tolist()
    return " or ".join(dict.fromkeys(_word(code, fmt) for code in codes))


def _word(code: int, fmt: rn.Format) -> str:
    """Return a value, and of a NaN or an infinity also the code."""
    value = float(rn.decode(code, fmt, np.float64))
    return number(value) if math.isfinite(value) else f"{number(value)} 0x{code:02x}"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
