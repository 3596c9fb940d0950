"""``refnum explain``: why a value becomes the code that it becomes."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from refnum.blocks import block_format
from refnum.blocks import names as block_names
from refnum.cli.explain_block import block_text, explain_block
from refnum.cli.libraries import libraries_of
from refnum.cli.places import Neighbour, Place, place_of
from refnum.cli.values import parse_value
from refnum.formats import Cast, Format, Rounding, Saturation, decode, encode, format
from refnum.golden.inputs import number

__all__ = ["add_parser", "explain", "run"]

_MODES = tuple(mode for mode in Rounding if not mode.is_stochastic)
_WIDTH = 88


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "explain",
        help="say why a value becomes the code that it becomes",
        description="Print a value's bits, its two neighbours in a format, where it lies "
        "between them, which way each rounding goes and what each library returns.",
    )
    parser.add_argument(
        "values",
        metavar="VALUE",
        nargs="+",
        help="decimal, hexadecimal float, inf, nan; several for a block format",
    )
    parser.add_argument(
        "format", metavar="FORMAT", help="name of a format or of a block format"
    )
    parser.add_argument(
        "--tensor-amax", type=float, help="largest magnitude of a block's tensor"
    )
    parser.add_argument(
        "--bits",
        action="store_true",
        help="the value is the bits of a float32 or float64, in hex",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the explanation of a value, or of a block."""
    values = [parse_value(text, bits=args.bits) for text in args.values]
    if args.format.lower() in block_names():
        told = explain_block(values, block_format(args.format), args.tensor_amax)
        text = "\n".join(block_text(told))
        print(json.dumps(told, indent=1) if args.json else text)
        return 0
    fmt = format(args.format)
    if len(values) > 1:
        raise ValueError(f"{fmt} is no block format: one value is explained at a time")
    if args.tensor_amax is not None:
        raise ValueError(f"{fmt} is no block format: --tensor-amax has no meaning")
    (value,) = values
    if args.json:
        print(json.dumps(explain(value, fmt), indent=1))
    else:
        print("\n".join(_text(value, fmt)))
    return 0


def explain(value: float, fmt: Format) -> dict[str, Any]:
    """Return what there is to say of a value and a format, in JSON's types.

    Codes are in hexadecimal, values are texts. A library that rounds stochastically has
    two codes, those of the smallest and of the largest random number.

    Examples
    --------
    >>> import refnum as rn
    >>> told = explain(465.0, rn.E4M3)
    >>> told["place"]["nu"], told["libraries"]["CUDA"], told["libraries"]["ML_DTYPES"]
    ('17/32', ['7e'], ['7f'])
    """
    place = place_of(value, fmt)
    return {
        "value": number(value),
        "hexadecimal": value.hex(),
        "float64": _float64(value),
        "float32": _float32(value),
        "float32_is_exact": _is_float32(value),
        "format": fmt.name,
        "place": {
            "kind": place.kind,
            "toward_zero": _to_dict(place.toward_zero, fmt),
            "midpoint": None if place.midpoint is None else number(place.midpoint),
            "away_from_zero": _to_dict(place.away_from_zero, fmt),
            "nu": None if place.nu is None else str(place.nu),
        },
        "roundings": {
            mode.value: {s.value: _digits(c, fmt) for s, c in codes.items()}
            for mode, codes in _roundings(value, fmt).items()
        },
        "libraries": {
            name: [_digits(code, fmt) for code in codes]
            for name, codes in _libraries(value, fmt).items()
        },
    }


def _roundings(value: float, fmt: Format) -> dict[Rounding, dict[Saturation, int]]:
    """Return the code by each deterministic rounding with each saturation."""
    return {
        mode: {s: int(encode(value, fmt, Cast(mode, s))) for s in Saturation}
        for mode in _MODES
    }


def _libraries(value: float, fmt: Format) -> dict[str, tuple[int, ...]]:
    """Return the code of each library, two where the random bits decide."""
    known = libraries_of(fmt, finite=math.isfinite(value))
    return {name: _codes(value, fmt, cast) for name, cast in known.items()}


def _codes(value: float, fmt: Format, cast: Cast) -> tuple[int, ...]:
    bits = cast.resolve(fmt).random_bits
    if bits is None:
        return (int(encode(value, fmt, cast)),)
    ends = np.array([0, (1 << bits) - 1], np.uint32)
    codes = encode([value, value], fmt, cast, random=ends).tolist()
    return tuple(dict.fromkeys(codes))


def _text(value: float, fmt: Format) -> Iterator[str]:
    shown = value.hex() if math.isfinite(value) else ""
    rounded = "" if _is_float32(value) else " (rounded)"
    yield " = ".join(filter(None, [f"{value!r}", shown]))
    yield f"float64 {_float64(value)}  float32 {_float32(value)}{rounded}"
    yield ""
    yield f"in {fmt}:"
    yield from (f"  {line}" for line in _place_lines(value, fmt))
    yield ""
    yield "roundings:"
    answers = {
        mode.value: _by_saturation(codes, fmt)
        for mode, codes in _roundings(value, fmt).items()
    }
    yield from _grouped(answers)
    if place_of(value, fmt).kind == "between":
        yield "  away from zero in that share of the draws, to within the random bits"
        yield from _wrapped(mode.value for mode in Rounding if mode.is_stochastic)
    yield ""
    answers = {
        name: " or ".join(_named(code, fmt) for code in codes)
        for name, codes in _libraries(value, fmt).items()
    }
    yield "libraries:" if answers else f"libraries: none converts to {fmt}"
    yield from _grouped(answers)


def _place_lines(value: float, fmt: Format) -> Iterator[str]:
    place = place_of(value, fmt)
    if value < 0 and not fmt.signed:
        yield f"{fmt} has no sign; this is the place of the absolute value"
    if place.kind == "nan":
        yield "no place: a NaN" + ("" if fmt.nan_code is not None else ", without code")
    elif place.kind == "infinity":
        code = fmt.infinity_code
        yield "no place: an infinity" + (", without code" if code is None else "")
    elif place.kind == "exact" and place.toward_zero:
        yield f"exactly {_neighbour(place.toward_zero, fmt)}"
    else:
        yield from _between(place, fmt)


def _between(place: Place, fmt: Format) -> Iterator[str]:
    if place.kind == "overflow":
        yield "past the largest finite value"
    if place.kind == "below":
        yield "below the smallest value, and there is no zero"
    if place.toward_zero:
        yield f"toward zero     {_neighbour(place.toward_zero, fmt)}"
    if place.midpoint is not None:
        yield f"midpoint        {_readable(place.midpoint)}"
    if place.away_from_zero:
        yield f"away from zero  {_neighbour(place.away_from_zero, fmt)}"
    if place.nu is not None:
        yield f"it lies at      {_share(place)} of the way from zero"


def _share(place: Place) -> str:
    """Return nu: a fraction, and a decimal where the fraction does not read well."""
    nu = place.nu
    if nu is None or nu.denominator <= 1024:
        return str(nu)
    return f"{nu} = {float(nu):.6g}"


def _neighbour(neighbour: Neighbour, fmt: Format) -> str:
    value = _readable(neighbour.value)
    if neighbour.code is None:
        return f"{value}, without code"
    return f"0x{_digits(neighbour.code, fmt)} = {value}"


def _by_saturation(codes: Mapping[Saturation, int], fmt: Format) -> str:
    groups: dict[int, list[str]] = {}
    for saturation, code in codes.items():
        groups.setdefault(code, []).append(saturation.value)
    if len(groups) == 1:
        return _named(next(iter(groups)), fmt)
    return "; ".join(f"{', '.join(s)}: {_named(c, fmt)}" for c, s in groups.items())


def _grouped(answers: Mapping[str, str]) -> Iterator[str]:
    """Yield each answer once, and under it who gives it."""
    groups: dict[str, list[str]] = {}
    for name, answer in answers.items():
        groups.setdefault(answer, []).append(name)
    for answer, names in groups.items():
        yield f"  {answer}"
        yield from _wrapped(names)


def _wrapped(names: Iterable[str]) -> list[str]:
    indent = " " * 6
    return textwrap.wrap(
        ", ".join(names), _WIDTH, initial_indent=indent, subsequent_indent=indent
    )


def _to_dict(neighbour: Neighbour | None, fmt: Format) -> dict[str, str | None] | None:
    if neighbour is None:
        return None
    code = None if neighbour.code is None else _digits(neighbour.code, fmt)
    return {"code": code, "value": number(neighbour.value)}


def _named(code: int, fmt: Format) -> str:
    value = float(decode([code], fmt, np.float64)[0])
    return f"0x{_digits(code, fmt)} = {_readable(value)}"


def _readable(value: float) -> str:
    """Return an exact text of a number, and a decimal where that does not read well."""
    text = number(value)
    return text if len(text) <= 16 else f"{text} (about {value:.9g})"


def _digits(code: int, fmt: Format) -> str:
    return f"{code:0{-(-fmt.bits // 4)}x}"


def _float64(value: float) -> str:
    return f"{int(np.float64(value).view(np.uint64)):016x}"


def _float32(value: float) -> str:
    with np.errstate(over="ignore", under="ignore"):
        return f"{int(np.float32(value).view(np.uint32)):08x}"


def _is_float32(value: float) -> bool:
    with np.errstate(over="ignore", under="ignore"):
        return math.isnan(value) or float(np.float32(value)) == value
