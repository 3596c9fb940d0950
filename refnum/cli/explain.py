"""``refnum explain``: why a value becomes the code that it becomes."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from refnum.cli.values import parse_value
from refnum.formats import (
    Cast,
    Format,
    Rounding,
    Saturation,
    casts,
    encode,
    exact,
    format,
)

__all__ = ["add_parser", "explain", "run"]

_MODES = tuple(mode for mode in Rounding if not mode.is_stochastic)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "explain",
        help="say why a value becomes the code that it becomes",
        description="Print a value's bits, its two neighbours in a format, where it lies "
        "between them, which way each rounding goes and what each library returns.",
    )
    parser.add_argument(
        "value", metavar="VALUE", help="decimal, hexadecimal float, inf"
    )
    parser.add_argument("format", metavar="FORMAT", help="name or alias of a format")
    parser.add_argument(
        "--bits", action="store_true", help="the value is the bits of a float32, in hex"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the explanation."""
    told = explain(parse_value(args.value, bits=args.bits), format(args.format))
    print(json.dumps(told, indent=1) if args.json else _text(told))
    return 0


@dataclass(frozen=True)
class _Place:
    """Where a magnitude lies among the magnitudes of a format."""

    below: int
    above: int
    nu: Fraction


def explain(value: float, fmt: Format) -> dict[str, Any]:
    """Return what there is to say of a value and a format, ready for JSON."""
    return {
        "value": repr(value),
        "hexadecimal": value.hex(),
        "float64": f"{int(np.float64(value).view(np.uint64)):016x}",
        "float32": _float32(value),
        "format": fmt.name,
        "place": _place_words(value, fmt),
        "roundings": _grouped({m.value: _codes(value, fmt, m) for m in _MODES}),
        "libraries": _grouped(
            {name: _one(value, fmt, getattr(casts, name)) for name in casts.names()}
        ),
    }


def _float32(value: float) -> str:
    with np.errstate(over="ignore", under="ignore"):
        single = np.float32(value)
    exact_value = math.isnan(value) or float(single) == value
    return f"{int(single.view(np.uint32)):08x}" + ("" if exact_value else " (rounded)")


def _place_words(value: float, fmt: Format) -> list[str]:
    if math.isnan(value) or math.isinf(value):
        return ["not finite: the saturation and the NaN policy decide"]
    if value < 0 and not fmt.signed:
        return [f"negative: {fmt.name} has no sign, the policy for negatives decides"]
    place = _place(abs(Fraction(value)), fmt)
    if place is None:
        return [
            f"beyond the largest finite value {fmt.max:g} ({_hex(fmt.max_code, fmt)})"
        ]
    if 0 <= abs(value) < exact.decode(0, fmt):
        return [f"below the smallest value, that of {_hex(0, fmt)}"]
    sign = fmt.sign_mask if math.copysign(1, value) < 0 and fmt.signed else 0
    if place.nu == 0:
        return [f"is the value of {_hex(place.below | sign, fmt)}"]
    low, high = (exact.decode(c, fmt) for c in (place.below, place.above))
    middle = (Fraction(low) + Fraction(high)) / 2
    share = f"{place.nu} of the way" if place.nu.denominator < 10**6 else "in between"
    side = "the midpoint" if place.nu * 2 == 1 else share
    return [
        f"towards zero    {_hex(place.below | sign, fmt)} = {_number(low)}",
        f"midpoint        {_number(middle)}",
        f"away from zero  {_hex(place.above | sign, fmt)} = {_number(high)}",
        f"it lies at {side} ({float(place.nu):.6g}), in magnitudes",
    ]


def _place(size: Fraction, fmt: Format) -> _Place | None:
    """Return the neighbours of a magnitude, None beyond the largest."""
    if fmt.twos_complement:
        fmt = Format(fmt.name, 0, fmt.mantissa_bits, fmt.bias)
    if size > Fraction(fmt.max):
        return None
    below, top = 0, fmt.max_code  # the largest code at or below, by bisection
    while below < top:
        middle = (below + top + 1) // 2
        if Fraction(exact.decode(middle, fmt)) <= size:
            below = middle
        else:
            top = middle - 1
    low = Fraction(exact.decode(below, fmt))
    if below == fmt.max_code or low == size:
        return _Place(below, below, Fraction(0))
    high = Fraction(exact.decode(below + 1, fmt))
    return _Place(below, below + 1, (size - low) / (high - low))


def _codes(value: float, fmt: Format, mode: Rounding) -> str:
    words = {
        saturation: _one(value, fmt, Cast(mode, saturation))
        for saturation in Saturation
    }
    if len(set(words.values())) == 1:
        return words[Saturation.FINITE]
    return ", ".join(f"{s.value} {word}" for s, word in words.items())


def _one(value: float, fmt: Format, cast: Cast) -> str:
    resolved = cast.resolve(fmt)
    if resolved.random_bits is not None:
        last = np.uint32((1 << resolved.random_bits) - 1)
        ends = [
            int(encode([value], fmt, cast, random=np.array([r], np.uint32))[0])
            for r in (np.uint32(0), last)
        ]
        return " or ".join(dict.fromkeys(_named(code, fmt) for code in ends))
    return _named(int(encode([value], fmt, cast)[0]), fmt)


def _named(code: int, fmt: Format) -> str:
    return f"{_hex(code, fmt)} = {_number(exact.decode(code, fmt)) if fmt.bits < 20 else '?'}"


def _hex(code: int, fmt: Format) -> str:
    return f"{code:#0{2 + -(-fmt.bits // 4)}x}"


def _number(value: Fraction | float) -> str:
    return f"{float(value):.17g}"


def _grouped(answers: dict[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, answer in answers.items():
        groups.setdefault(answer, []).append(name)
    return groups


def _text(told: dict[str, Any]) -> str:
    lines = [
        f"{told['value']} = {told['hexadecimal']}",
        f"float64 {told['float64']}  float32 {told['float32']}",
        "",
        f"in {told['format']}:",
        *(f"  {line}" for line in told["place"]),
    ]
    for title in ("roundings", "libraries"):
        lines += ["", f"{title}:"]
        lines += [f"  {answer}: {', '.join(n)}" for answer, n in told[title].items()]
    return "\n".join(lines)
