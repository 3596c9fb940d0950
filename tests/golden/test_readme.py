"""What the golden files' README shows is so."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "golden/encode/e4m3.nearest_even.finite.hex"
README = (ROOT / "golden/README.md").read_text(encoding="utf-8")


def test_sample_lines_are_of_the_file():
    after = README[README.index("\n## The form") :]
    sample = re.search(r"\n\n((?:    .*\n)+)", after)[1].splitlines()
    assert len(sample) == 4
    assert {line.strip() for line in sample} <= set(FILE.read_text().splitlines())


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_checksums():
    golden = ROOT / "golden"
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=golden, check=True)
