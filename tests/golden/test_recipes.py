"""The recipes of the golden files' README do what they say."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from refnum.golden import read

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "golden/encode/e4m3.nearest_even.finite.hex"
README = (ROOT / "golden/README.md").read_text(encoding="utf-8")
CASES = [case.fields for case in read(FILE).cases]


def recipe(title):
    """The indented block after a line that starts with the title."""
    after = README[README.index(f"\n{title}") :]
    block = re.search(r"\n\n((?:    .*\n|\n)+)", after)[1].rstrip() + "\n"
    return re.sub(r"(?m)^    ", "", block)


def test_sample_lines_are_of_the_file():
    lines = FILE.read_text().splitlines()
    sample = recipe("## The form").splitlines()
    assert len(sample) == 4
    assert set(sample) <= set(lines)


def test_python():
    program = recipe("Python, without refnum") + "\nprint(cases)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=FILE.parent,
        check=True,
        capture_output=True,
    )
    assert ast.literal_eval(done.stdout.decode()) == CASES


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_c(tmp_path):
    program = f"""
    #include <stdio.h>
    static void check(unsigned x, unsigned code) {{ printf("%u %u\\n", x, code); }}
    int main(void) {{
        FILE *file = fopen("{FILE}", "r");
        {recipe("C and CUDA hosts")}
        return 0;
    }}
    """
    (tmp_path / "read.c").write_text(program)
    subprocess.run(["cc", "-o", "read", "read.c"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "read"], check=True, capture_output=True)
    rows = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert rows == CASES


def test_verilog_word():
    """The packed word of the recipe is as wide as the columns."""
    file = read(FILE)
    high = int(re.search(r"reg \[(\d+):0\]", recipe("Verilog"))[1])
    last = int(re.search(r"golden \[0:(\d+)\]", recipe("Verilog"))[1])
    assert high + 1 == sum(column.bits for column in file.columns)
    assert last + 1 == len(file.cases)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_checksums():
    golden = ROOT / "golden"
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=golden, check=True)
