"""``refnum train``: train a small model on a task."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refnum.training import History, Plan, Task

__all__ = ["add_parser", "run"]

_INTERRUPTED = 130
_FAST = ("diffusion",)  # tasks that would take more than three minutes


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="train a small model, to the same bits on every machine",
        description="Train a small model. Tasks: regression, images, diffusion, "
        "language, pde. Standard error shows the progress, standard output the end.",
        epilog="Exit status: 0 done, 1 diverged, 2 wrong usage or unreadable input, "
        "130 interrupted (Ctrl-C: the step ends and the checkpoint is written).",
    )
    parser.add_argument("task", metavar="TASK", help="what is learned")
    parser.add_argument("--model", help="a model of the task: cnn, mlp, gpt2, llama, …")
    parser.add_argument(
        "--data",
        help="data of the task: digits or patterns; text or markov; teacher or diabetes",
    )
    parser.add_argument("--text", metavar="FILE", help="a UTF-8 text for language")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        dest="fields",
        help="another setting of the task, such as width=32; may be repeated",
    )
    parser.add_argument("--steps", type=int, help="how many; default: the task's plan")
    parser.add_argument("--batch", type=int, help="examples of a step")
    parser.add_argument("--learning-rate", type=float, help="the largest one")
    parser.add_argument("--optimizer", help="sgd, adam, adamw or stable_spam")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="how linear layers compute, such as nvfp4; default: full precision",
    )
    parser.add_argument(
        "--numerics",
        choices=("reproducible", "fast"),
        help="the same bits everywhere, or BLAS and libm (default: reproducible; for "
        "diffusion fast)",
    )
    parser.add_argument(
        "--out", metavar="DIR", help="keep log, checkpoint and samples there"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in DIR"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Return 0, 1 if the run diverged, or 130 if it was interrupted."""
    from refnum.autograd import FAST, REPRODUCIBLE
    from refnum.training import train

    task = _task(args)
    numerics = args.numerics or ("fast" if task.name in _FAST else "reproducible")
    try:
        history = train(
            task,
            args.recipe,
            seed=args.seed,
            plan=_plan(task, args),
            out=args.out,
            resume=args.resume,
            numerics=FAST if numerics == "fast" else REPRODUCIBLE,
            progress=not args.quiet,
        )
    except KeyboardInterrupt:
        hint = f"; go on with --resume --out {args.out}" if args.out else ""
        print(f"refnum: interrupted{hint}", file=sys.stderr)
        return _INTERRUPTED
    if args.json:
        print(json.dumps(history.to_dict(), indent=1))
    else:
        print("\n".join(_summary(history, args.out)))
    if history.outcome == "diverged":
        print(f"refnum: the run diverged: {history.reason}", file=sys.stderr)
    return int(history.outcome == "diverged")


def _task(args: argparse.Namespace) -> Task:
    from refnum.training import get

    settings: dict[str, Any] = {}
    for text in args.fields:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: NAME=VALUE is wanted")
        settings[name] = _value(value)
    for name in ("model", "data", "text"):
        if getattr(args, name) is not None:
            settings[name] = getattr(args, name)
    return get(args.task, **settings)


def _plan(task: Task, args: argparse.Namespace) -> Plan:
    from refnum.training import proposed_plan

    names = ("steps", "batch", "learning_rate", "optimizer")
    given = {name: getattr(args, name) for name in names}
    plan = proposed_plan(task, args.recipe)
    return replace(plan, **{k: v for k, v in given.items() if v is not None})


def _value(text: str) -> Any:
    """Return a number, true or false, or the text as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) else text


def _summary(history: History, out: str | None) -> list[str]:
    lines = [f"{history.name}: {history.outcome} after {len(history.steps)} steps"]
    if history.steps:
        lines.append(f"training loss {history.steps[-1].loss:.6g}")
    lines += [f"{name} {value:.6g}" for name, value in history.last().items()]
    lines += [
        f"{name} known beforehand {value:.6g}"
        for name, value in history.references.items()
    ]
    if out is not None:
        lines.append(f"{out}: log, checkpoint and samples")
    return lines
