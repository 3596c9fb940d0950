"""The command line: one module for each command, one line for each error.

A command is a module of this package with ``add_parser(subparsers)`` and
``run(args) -> int``. Standard output holds data, standard error the rest. The exit
status is 0 for equal or done, 1 for differences, 2 for wrong usage or unreadable input.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from refnum._version import __version__

__all__ = ["COMMANDS", "main"]

COMMANDS = (
    "formats",
    "encode",
    "decode",
    "explain",
    "quantize",
    "dequantize",
    "instructions",
    "mma",
    "gemm",
    "golden",
    "verify",
    "diagnose",
    "train",
    "plot",
    "cost",
    "sweep",
    "report",
    "demo",
)
# What argparse takes for a value rather than an option: -1, -1.5e3, -0x1p-3, -inf, -nan.
_NEGATIVE = re.compile(r"^-(\d|\.\d|inf|nan)", re.IGNORECASE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Examples
    --------
    >>> from refnum.cli import main
    >>> main(["encode", "e4m3", "448"])
    7e
    0
    """
    args = _parser().parse_args(argv)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, OSError) as error:
        print(f"refnum: {_one_line(error)}", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="refnum",
        description="The arithmetic of 4- and 8-bit training, exact to the bit.",
        epilog="Exit status: 0 equal or done, 1 differences, 2 usage or unreadable input.",
    )
    parser.add_argument("--version", action="version", version=f"refnum {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name in COMMANDS:
        import_module(f"refnum.cli.{name}").add_parser(commands)
    for command in commands.choices.values():
        command._negative_number_matcher = _NEGATIVE
    return parser


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return (
            f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        )
    return " ".join(str(error).split())
