"""``refnum report``: what a study found, in tables and pictures."""

from __future__ import annotations

import argparse

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "report",
        help="what a study found: fronts, effects, claims",
        description="Write a report of the results that `refnum sweep` stored: fronts "
        "of loss against cost, the effect of each technique, verdicts on claims, "
        "scaling laws, seeds, errors. One HTML file that needs nothing else, and "
        "Markdown; pictures are also files of their own.",
    )
    parser.add_argument("folder", metavar="DIR", help="a folder with results.jsonl")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="a .html or .md file; default: report.html and report.md in DIR",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the report, and print the files."""
    from refnum.studies import write_report

    for path in write_report(args.folder, args.out):
        print(path)
    return 0
