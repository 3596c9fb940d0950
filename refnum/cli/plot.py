"""``refnum plot``: learning curves and samples of runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "plot",
        help="draw the learning curves of runs",
        description="Draw the learning curves of runs over each other: a picture if "
        "matplotlib is installed, otherwise text.",
    )
    parser.add_argument(
        "folders", metavar="DIR", nargs="+", help="a folder that `refnum train` filled"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="a .png, .svg or .pdf file; default: curves.png in the first folder",
    )
    parser.add_argument(
        "--text", action="store_true", help="draw with characters on standard output"
    )
    parser.add_argument(
        "--samples", action="store_true", help="show the samples of each run as well"
    )
    parser.add_argument("--json", action="store_true", help="print the runs as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draw, and print what was drawn."""
    from refnum.training import read_history

    histories = [read_history(folder) for folder in args.folders]
    names = _names(args.folders)
    if args.json:
        print(json.dumps([one.to_dict() for one in histories], indent=1))
        return 0
    if not args.text:
        from refnum.training.curves import save_curves

        first = Path(args.folders[0])
        first = first if first.is_dir() else first.parent
        path = Path(args.out or first / "curves.png")
        try:
            save_curves(path, histories, names)
        except ImportError:
            print(
                "refnum: no picture, as matplotlib is not installed "
                "(pip install 'refnum[plot]'); text instead",
                file=sys.stderr,
            )
            args.text = True
        else:
            print(path)
    if args.text:
        from refnum.training.curves import series_of, text_curves

        panels = series_of(histories, names)
        print("\n\n".join(text_curves(*panel) for panel in panels.items()))
    if args.samples:
        for folder in args.folders:
            _show_samples(Path(folder))
    return 0


def _names(folders: list[str]) -> list[str]:
    """Return the last parts of the paths, or the paths where those are equal."""
    short = [Path(folder).resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else list(folders)


def _show_samples(folder: Path) -> None:
    """Print written text, and the paths of pictures."""
    text = folder / "samples.txt"
    if text.is_file():
        print(text.read_text(encoding="utf-8", errors="replace"), end="")
    for path in sorted(folder.glob("samples.*")):
        if path != text:
            print(path)
