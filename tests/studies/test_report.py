"""Reports: they say what the stored lines say, to people without a network."""

import math
import random
import re
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from refnum.cli import main
from refnum.studies import Design, grid, read_results, report, sweep, write_report
from refnum.studies.document import (
    Figure,
    Heading,
    Paragraph,
    Table,
    as_html,
    as_markdown,
)

from ._studies import line_of, tiny, write_lines, write_tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a trained tiny study, and claims beside it."""
    folder = tmp_path_factory.mktemp("trained")
    path = write_tiny(folder / "study.toml", seeds="2\nreports = 2")
    with path.open("a") as file:
        file.write(
            '\n[[claims]]\ntext = "SR helps"\nbetter = {stochastic = "dy"}\n'
            'worse = {stochastic = "none"}\n'
        )
    study = tiny()
    configurations = [
        type(one)(
            one.setting,
            one.design,
            one.seed,
            one.numerics,
            2 * (one.design is not None),
        )
        for one in study.configurations
    ]
    sweep(configurations, folder, executor="threads", workers=1)
    return folder


@pytest.fixture(scope="module")
def parts(trained):
    return report(trained)


@pytest.fixture(scope="module")
def page(trained, tmp_path_factory):
    """The files of an HTML report."""
    pytest.importorskip("matplotlib")
    return write_report(trained, tmp_path_factory.mktemp("page") / "page.html")


def tables(parts):
    """The tables by the first words of their captions; the first where several are."""
    found = {}
    for part in parts:
        if isinstance(part, Table):
            found.setdefault(part.caption.split(":")[0], part)
    return found


def test_tables_agree_with_the_stored_lines(trained, parts):
    lines = read_results(trained)
    value = {
        (str(line["configuration"]["design"]), line["configuration"]["seed"]): line[
            "value"
        ]
        for line in lines
    }
    found = tables(parts)
    overview = found["What was trained, and the loss in full precision"].rows
    base = [value["None", seed] for seed in (0, 1)]
    assert overview == (
        (
            "regression",
            "risk",
            "4",
            "2",
            f"{sum(base) / 2:.5g}",
            f"{abs(base[0] - base[1]):.3g}",
        ),
    )
    rows = {row[1]: row for row in found["regression"].rows}
    designs = {
        str(line["configuration"]["design"]): line["configuration"]["design"]
        for line in lines
        if line["configuration"]["design"] is not None
    }
    assert len(designs) == 4
    for key, facts in designs.items():
        row = rows[str(Design(**facts))]
        gaps = [100 * (value[key, seed] / base[seed] - 1) for seed in (0, 1)]
        assert float(row[4]) == pytest.approx(sum(gaps) / 2, rel=6e-3)
        assert float(row[5]) == pytest.approx(min(gaps), rel=6e-3)
        assert float(row[6]) == pytest.approx(max(gaps), rel=6e-3)
        assert row[7:] == ("2", "0")
    (claim,) = found["Claims"].rows
    differences = [
        100 * (value[plain, seed] - value[drawn, seed]) / base[seed]
        for seed in (0, 1)
        for plain, drawn in (
            [
                (k, m)
                for k, f in designs.items()
                for m, g in designs.items()
                if g == {**f, "stochastic": "dy"} and f != g
            ]
        )
    ]
    assert len(differences) == 4
    assert float(claim[4]) == pytest.approx(sum(differences) / 4, rel=6e-3)
    assert claim[9] == "4"


class Page(HTMLParser):
    """What a page refers to, and which elements it has."""

    def __init__(self):
        super().__init__()
        self.tags, self.links, self.ids, self.cells, self._cell = (
            set(),
            [],
            [],
            [],
            None,
        )

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        facts = dict(attributes)
        self.links += [
            v for k, v in facts.items() if k in ("src", "href", "xlink:href")
        ]
        self.ids += [v for k, v in facts.items() if k == "id"]
        if tag == "td":
            self.cells.append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag == "td":
            self._cell = None

    def handle_data(self, data):
        if self._cell:
            self.cells[-1] += data


def test_the_page_needs_nothing_else(page, parts):
    text = page[0].read_text()
    seen = Page()
    seen.feed(text)
    assert seen.tags.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert all(link.startswith("#") for link in seen.links)
    assert len(seen.ids) == len(set(seen.ids))
    assert {link[1:] for link in seen.links} <= set(seen.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(seen.ids)
    assert "@import" not in text
    assert "@media print" in text
    assert seen.tags >= {"svg", "table", "figure", "figcaption"}
    figures = [part.name for part in parts if isinstance(part, Figure)]
    assert figures == ["cost", "seeds", "errors", "scales"]
    assert [path.name for path in page[1:]] == [f"page.{n}.svg" for n in figures]
    for path in page[1:]:
        ElementTree.fromstring(path.read_text())
    rows = [row for part in parts if isinstance(part, Table) for row in part.rows]
    assert seen.cells == [cell for row in rows for cell in row]


def test_the_same_results_give_the_same_files(trained, page, tmp_path):
    again = write_report(trained, tmp_path / "page.html")
    for one, other in zip(page, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_markdown_has_the_same_tables(parts):
    text = as_markdown(parts, "page.{name}.svg")
    for part in parts:
        if isinstance(part, Table):
            for row in part.rows:
                cells = [cell.replace("|", "\\|") for cell in row]
                assert f"| {' | '.join(cells)} |" in text
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    figures = [part.name for part in parts if isinstance(part, Figure)]
    assert pictures == [f"page.{name}.svg" for name in figures]


def test_without_matplotlib_tables_stay(trained, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    parts = report(trained)
    assert not any(isinstance(part, Figure) for part in parts)
    said = [
        p.text for p in parts if isinstance(p, Paragraph) and "refnum[plot]" in p.text
    ]
    assert len(said) >= 3
    assert len(write_report(trained, tmp_path / "page.html")) == 1


def test_ten_thousand_results_in_ten_seconds(tmp_path):
    """Two thousand and five hundred designs, four seeds, one number each."""
    rng = random.Random(0)
    designs = grid(
        {
            "scale": ["ue8m0", "ue4m3", "ue5m3", "ue5m3_ieee"],
            "block": [8, 16, 32, 64],
            "tensor_scale": [True, False],
            "stochastic": ["none", "dy", "forward", "backward", "all"],
            "rotation": ["none", "wgrad", "forward", "dgrad", "all"],
            "switch": [0.0, 0.1, 0.2, 0.3],
        }
    ).designs[:2500]
    assert len(designs) == 2500
    lines = [line_of(None, seed, 1.0) for seed in range(4)]
    lines += [
        line_of(design, seed, None if rng.random() < 0.01 else 1 + rng.random() / 10)
        for design in designs
        for seed in range(4)
    ]
    write_lines(tmp_path, lines)
    start = time.process_time()
    files = write_report(tmp_path)
    assert time.process_time() - start < 10
    assert files[0].stat().st_size < 4e6


def test_runs_that_diverged_are_shown_as_such(tmp_path):
    lines = [
        line_of(None, 0, 1.0),
        line_of(Design(), 0, None),
        line_of(Design(block=8), 0, 1.5),
    ]
    write_lines(tmp_path, lines)
    rows = {row[1]: row for row in tables(report(tmp_path))["regression"].rows}
    assert rows["ue8m0/32"][4] == "∞"
    assert rows["ue8m0/32"][8] == "1"
    assert rows["ue8m0/8"][4] == "50"


def test_failures_are_listed(tmp_path):
    failed = {
        **line_of(Design(), 0, 1.0),
        "outcome": "failed",
        "error": "Trace\nBoom: x",
    }
    write_lines(tmp_path, [line_of(None, 0, 1.0), failed])
    rows = tables(report(tmp_path))["The results hold the whole tracebacks"].rows
    assert rows == ((failed["id"], "regression", "Boom: x"),)


def test_text_is_escaped():
    parts = [Heading("<b>", 1), Table(("a|b",), (("<script>|",),), "x & y")]
    page = as_html(parts)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "x &amp; y" in page
    assert "<script>\\|" in as_markdown(parts, "{name}")


def test_wrong_usage(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no results here" in capsys.readouterr().err
    write_lines(tmp_path, [line_of(None, 0, 1.0)])
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "page.pdf")]) == 2
    assert ".html or .md" in capsys.readouterr().err
    assert (
        main(["report", str(tmp_path), "--out", str(tmp_path / "no" / "page.md")]) == 2
    )


def test_the_command_prints_the_files(trained, tmp_path, capsys):
    assert main(["report", str(trained), "--out", str(tmp_path / "page.md")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == str(tmp_path / "page.md")
    assert all(Path(line).is_file() for line in printed)


def test_numbers_of_tables():
    from refnum.studies.document import number

    assert [number(v) for v in (0.12345, 1234.0, -5e-7, math.inf, math.nan)] == [
        "0.123",
        "1234",
        "-5e-07",
        "∞",
        "–",
    ]
