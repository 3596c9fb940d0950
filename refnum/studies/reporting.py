"""`report`: what a study found, as a document of tables and pictures."""

from __future__ import annotations

from pathlib import Path

from refnum._files import write_atomically
from refnum.studies.claims_section import claims_section
from refnum.studies.document import (
    Figure,
    Heading,
    Paragraph,
    Part,
    as_html,
    as_markdown,
)
from refnum.studies.law_section import law_section
from refnum.studies.results import latest, read_results
from refnum.studies.sections import (
    cost_section,
    effect_section,
    error_section,
    failure_section,
    overview,
    score_section,
    seed_section,
)
from refnum.studies.study import STUDY, read_report_settings
from refnum.studies.table import entries_of, summaries_of

__all__ = ["report", "write_report"]


def write_report(folder: Path | str, out: Path | str | None = None) -> list[Path]:
    """Write a report of a folder of results.

    Parameters
    ----------
    folder : Path or str
        With results, and the study beside them if claims are to be judged.
    out : Path or str, optional
        A ``.html`` or ``.md`` file; by default ``report.html`` and ``report.md`` in the
        folder. Pictures are also written beside it, as ``report.NAME.svg``.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ValueError
        If there are no results, or they are damaged, or `out` ends otherwise.
    OSError
        If a file cannot be read or written.
    """
    place = Path(folder)
    beside = place if place.is_dir() else place.parent
    wanted = [Path(out)] if out else [beside / "report.html", beside / "report.md"]
    for path in wanted:
        if path.suffix not in (".html", ".md"):
            raise ValueError(f"{path}: a report ends in .html or .md")
    parts = report(place)
    files = []
    for path in wanted:
        if path.suffix == ".html":
            text = as_html(parts)
        else:
            text = as_markdown(parts, path.stem + ".{name}.svg")
        write_atomically(path, text.encode())
        files.append(path)
    for part in parts:
        if isinstance(part, Figure):
            path = wanted[0].with_name(f"{wanted[0].stem}.{part.name}.svg")
            write_atomically(path, part.svg.encode())
            files.append(path)
    return files


def report(folder: Path | str) -> list[Part]:
    """Return the report of a folder of results as a document; see `write_report`."""
    place = Path(folder)
    lines = latest(read_results(place))
    if not lines:
        raise ValueError(f"{folder}: there are no results yet")
    study = place / STUDY if place.is_dir() else place.with_name(STUDY)
    name, about, costs, claims = read_report_settings(study)
    entries = entries_of(lines.values())
    summaries = summaries_of(entries, costs)
    parts: list[Part] = [Heading(name, 1)]
    parts += [Paragraph(text) for text in about.split("\n\n") if text]
    parts += overview(lines, entries, costs)
    parts += claims_section(claims, entries)
    parts += cost_section(summaries)
    parts += effect_section(entries)
    parts += score_section(summaries)
    parts += seed_section(summaries)
    parts += law_section(entries)
    parts += error_section(entries)
    return parts + failure_section(lines)
