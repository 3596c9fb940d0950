"""Every Python session in README.md and docs/ runs and prints what it shows.

Doctest takes the closing fence of a Markdown block for output, so the text between
the fences is blanked out first, line by line: a failure names the document's line.
"""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SESSION = re.compile(r"^ *>>> ", re.MULTILINE)


def fenced_lines_only(text: str) -> str:
    lines, fenced = [], False
    for line in text.splitlines():
        is_fence = line.lstrip().startswith("```")
        fenced ^= is_fence
        lines.append(line if fenced and not is_fence else "")
    return "\n".join(lines) + "\n"


def documents_with_sessions() -> list[Path]:
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        path
        for path in documents
        if path.exists() and SESSION.search(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(
    "document",
    documents_with_sessions(),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_sessions_print_what_they_show(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a session may write files
    text = fenced_lines_only(document.read_text(encoding="utf-8"))
    session = doctest.DocTestParser().get_doctest(
        text, {}, document.name, str(document), 0
    )
    report: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(session, out=report.append)
    assert results.attempted > 0, "sessions outside of fences do not run"
    assert results.failed == 0, "".join(report)
