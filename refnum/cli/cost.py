"""`refnum cost [RECIPE...]`: what recipes cost, relative to BF16."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace

from refnum import recipes
from refnum.recipes import STATED_SPEEDS, Cost, ModelShape, SpeedMap

__all__ = ["add_parser", "run"]

_MODELS = {
    "llama-9m": (128, 352, 4, 128),
    "llama-60m": (512, 1376, 8, 512),
    "llama-350m": (1024, 2736, 24, 1024),
    "llama-1b": (2048, 5456, 24, 2048),
    "llama-7b": (4096, 11008, 32, 4096),
}
_SPEEDS = tuple(asdict(STATED_SPEEDS))


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "cost",
        help="what recipes cost, relative to BF16",
        description="Multiply-adds by precision, work on elements, random bits and "
        "bytes of a training step, and its time relative to BF16.",
    )
    parser.add_argument("recipe", nargs="*", help="names; all of them by default")
    parser.add_argument(
        "--model",
        choices=_MODELS,
        default="llama-7b",
        help="whose linear layers and attention are counted (llama-7b)",
    )
    parser.add_argument(
        "--speeds",
        default="",
        metavar="NAME=SPEED,...",
        help=f"relative to BF16's products: {', '.join(_SPEEDS)}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line for each recipe, or all there is of a single one."""
    width, hidden, layers, context = _MODELS[args.model]
    model = ModelShape.llama(width, hidden, layers=layers, context=context)
    speeds = _read_speeds(args.speeds)
    chosen = [recipes.get(name) for name in args.recipe or recipes.names()]
    costs = [recipe.cost(model, speeds) for recipe in chosen]
    if args.json:
        print(json.dumps([_facts(cost) for cost in costs], indent=1))
    elif len(costs) == 1:
        print(costs[0])
    else:
        print(f"{'recipe':24}{'time':>8}{'operations':>12}{'random bits':>13}")
        for cost in costs:
            print(_line(cost))
    return 0


def _read_speeds(text: str) -> SpeedMap:
    speeds = STATED_SPEEDS
    for word in filter(None, text.split(",")):
        name, equals, value = word.partition("=")
        if not equals or name not in _SPEEDS:
            raise ValueError(
                f"--speeds has {word!r}; NAME=SPEED with {', '.join(_SPEEDS)} is allowed"
            )
        try:
            speeds = replace(speeds, **{name: float(value)})
        except ValueError:
            raise ValueError(
                f"--speeds: {name} is {value!r}, no positive number"
            ) from None
    return speeds


def _line(cost: Cost) -> str:
    total = sum(cost.macs.values())
    per_mac = cost.operations / total
    return (
        f"{cost.recipe:24}{100 * cost.relative:7.1f}%{per_mac:12.5f}"
        f"{cost.random_bits / total:13.5f}"
    )


def _facts(cost: Cost) -> dict[str, object]:
    return {
        "recipe": cost.recipe,
        "relative": cost.relative,
        "macs": cost.macs,
        "operations": cost.operations,
        "random_bits": cost.random_bits,
        "bytes_moved": cost.bytes_moved,
    }
