"""A report's content, and how it reads as Markdown and as one HTML file.

A document is a list of parts: headings, paragraphs, tables and figures. What is written
of it needs no other file, no script and no network; figures stand in the HTML file as
SVG, and beside either file as pictures of their own.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "Figure",
    "Heading",
    "Paragraph",
    "Part",
    "Table",
    "as_html",
    "as_markdown",
    "number",
]


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells; columns whose cells are all numbers are set to the right.

    Parameters
    ----------
    columns : tuple of str
        Heads.
    rows : tuple of tuple of str
        Cells.
    caption : str
        What the table shows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture.

    Parameters
    ----------
    name : str
        One word, for its file.
    svg : str
        The picture.
    caption : str
        What it shows, in words.
    """

    name: str
    svg: str
    caption: str


Part = Heading | Paragraph | Table | Figure
_NUMBER = re.compile(r"^[-−+]?[\d.,]+(e[-+]?\d+)?( ?%)?$|^(–|—|inf|nan|∞|)$")

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.8rem; line-height: 1.2; } h2 { margin-top: 2.5rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1.5px solid #1a1a1a; } td { border-bottom: .5px solid #ccc; }
.number { text-align: right; white-space: nowrap; }
figure { margin: 1.5rem 0; } figure svg { max-width: 100%; height: auto; }
figcaption { font-size: .85rem; color: #444; }
@media print {
  @page { margin: 15mm; }
  body { font-size: 10pt; max-width: none; margin: 0; padding: 0; }
  table { font-size: 8pt; } .scroll { overflow: visible; }
  thead { display: table-header-group; }
  tr, figure { break-inside: avoid; } h2, h3, caption { break-after: avoid; }
}
"""


def as_html(parts: Sequence[Part]) -> str:
    """Return a whole page.

    Parameters
    ----------
    parts : sequence of Part
        The document; its first part is the title.
    """
    title = parts[0].text if parts and isinstance(parts[0], Heading) else "Report"
    body = "\n".join(_html(part) for part in parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def as_markdown(parts: Sequence[Part], picture: str) -> str:
    """Return Markdown.

    Parameters
    ----------
    parts : sequence of Part
        The document.
    picture : str
        Path of a figure's file; ``{name}`` stands for its name.
    """
    return "\n\n".join(_markdown(part, picture) for part in parts) + "\n"


def number(value: float, digits: int = 3) -> str:
    """Return a number for a table: so many significant digits, or a dash."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < 1e6 else text


def _html(part: Part) -> str:
    if isinstance(part, Heading):
        return f"<h{part.level}>{html.escape(part.text)}</h{part.level}>"
    if isinstance(part, Paragraph):
        return f"<p>{html.escape(part.text)}</p>"
    if isinstance(part, Figure):
        return (
            f"<figure>\n{_inline(part)}\n"
            f"<figcaption>{html.escape(part.caption)}</figcaption>\n</figure>"
        )
    return _html_table(part)


def _html_table(table: Table) -> str:
    marks = [' class="number"' if right else "" for right in _right(table)]

    def row(cells: Sequence[str], tag: str) -> str:
        said = zip(marks, cells, strict=True)
        inside = "".join(f"<{tag}{m}>{html.escape(c)}</{tag}>" for m, c in said)
        return f"<tr>{inside}</tr>"

    caption = f"<caption>{html.escape(table.caption)}</caption>" * bool(table.caption)
    body = "\n".join(row(cells, "td") for cells in table.rows)
    return (
        f'<div class="scroll"><table>{caption}\n<thead>{row(table.columns, "th")}'
        f"</thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _inline(figure: Figure) -> str:
    """Return the SVG element, its identifiers made unique within the page."""
    svg = figure.svg[figure.svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{figure.name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{figure.name}-", svg)
    svg = re.sub(r'href="#', f'href="#{figure.name}-', svg)
    label = html.escape(figure.caption, quote=True)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _markdown(part: Part, picture: str) -> str:
    if isinstance(part, Heading):
        return "#" * part.level + f" {part.text}"
    if isinstance(part, Paragraph):
        return part.text
    if isinstance(part, Figure):
        return (
            f"![{part.caption}]({picture.format(name=part.name)})\n\n*{part.caption}*"
        )
    rules = ["--:" if right else "---" for right in _right(part)]
    lines = [part.columns, rules, *part.rows]
    text = "\n".join("| " + " | ".join(map(_cell, cells)) + " |" for cells in lines)
    return f"**{part.caption}**\n\n{text}" if part.caption else text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _right(table: Table) -> list[bool]:
    """Return which columns hold numbers alone."""
    return [
        bool(table.rows) and all(_NUMBER.match(row[k]) for row in table.rows)
        for k in range(len(table.columns))
    ]
