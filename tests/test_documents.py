"""Every session in README.md and docs/ runs and prints what it shows.

Sessions of a shell stand in blocks of ``console``: commands after ``$``, with what they
print below; a line ``...`` stands for any lines. They run in the repository's folder.

Doctest takes the closing fence of a Markdown block for output, so the text between
the fences is blanked out first, line by line: a failure names the document's line.
"""

import doctest
import os
import re
import shutil
import subprocess
import sys
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


CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOOLS = "iverilog", "vvp"


def commands_of(document: Path) -> list[tuple[str, str]]:
    """Each command of a page with what it shall print."""
    blocks = CONSOLE.findall(document.read_text(encoding="utf-8"))
    parts = [
        p for block in blocks for p in re.split(r"^\$ ", block, flags=re.MULTILINE) if p
    ]
    return [
        (command, shown) for command, _, shown in (p.partition("\n") for p in parts)
    ]


def pattern_of(shown: str) -> re.Pattern:
    lines = [
        r"(.*\n)*?" if line == "..." else re.escape(line) + r"\n"
        for line in shown.splitlines()
    ]
    return re.compile("".join(lines))


@pytest.mark.parametrize(
    "document",
    [p for p in sorted((ROOT / "docs").rglob("*.md")) if CONSOLE.search(p.read_text())],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_commands_print_what_they_show(document, tmp_path):
    for name in ("golden", "tests", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    program = tmp_path / "refnum"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m refnum "$@"\n')
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    for command, shown in commands_of(document):
        missing = [t for t in TOOLS if t in command.split() and not shutil.which(t)]
        if missing:
            pytest.skip(f"needs {missing[0]}")
        result = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        printed = result.stdout + result.stderr
        assert pattern_of(shown).fullmatch(printed), f"$ {command}\n{printed}"
