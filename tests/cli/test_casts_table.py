"""The tables in docs/casts.md are those that the casts give now."""

import importlib.util
from pathlib import Path

import refnum as rn
from refnum.cli.libraries import libraries_of

DOCS = Path(__file__).resolve().parents[2] / "docs"


def program():
    spec = importlib.util.spec_from_file_location("table", DOCS / "casts_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_tables():
    page = (DOCS / "casts.md").read_text(encoding="utf-8")
    assert program().render(page) == page


def test_rows_and_cells():
    table = program()
    text = table.tables()
    for fmt in table.FORMATS:
        part = text.partition(f"### {fmt.name.upper()}\n\n")[2].partition("\n\n")[0]
        head, _, *rows = [
            [cell.strip(" `") for cell in line.strip("|").split("|")]
            for line in part.splitlines()
        ]
        assert [row[0] for row in rows] == list(libraries_of(fmt))
        assert {len(row) for row in rows} == {len(head)}
    assert "| `CUDA`          | 448      | 448      | 448      | 448      |" in text
    assert rn.encode(465.0, rn.E4M3, rn.casts.ML_DTYPES) == 0x7F
    assert "| `ML_DTYPES`     | NaN 0x7f | NaN 0x7f | NaN 0x7f | NaN 0x7f |" in text


def test_other_text_stays():
    table = program()
    page = f"before\n{table.BEGIN}old{table.END}\nafter\n"
    done = table.render(page)
    assert done.startswith("before\n")
    assert done.endswith("\nafter\n")
    assert "old" not in done
