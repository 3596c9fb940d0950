"""The plugin in a project of its own, as pytest finds it through the entry point."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "golden"

KERNEL_TEST = """
import numpy as np
import pytest
import refnum as rn

@pytest.mark.refnum_golden("encode/e4m3.nearest_even.finite", "encode/e4m3.toward_zero*")
def test_cast(golden_case):
    rounding = rn.Rounding(golden_case.facts["rounding"])
    saturation = rn.Saturation(golden_case.facts["saturation"])
    x = golden_case.inputs["x"].view(np.float32)
    golden_case.check(rn.encode(x, rn.E4M3, rn.Cast(rounding, saturation)))

@pytest.mark.refnum_golden("quantize/mxfp4.outlier-row")
def test_quantize(golden_case):
    q = rn.quantize(golden_case.inputs["x"], rn.MXFP4)
    golden_case.check({"codes": q.codes, "scales": q.scales, "values": rn.dequantize(q)})
"""
WRONG_TEST = """
import numpy as np
import pytest
import refnum as rn

@pytest.mark.refnum_golden("encode/e4m3.nearest_even.finite")
def test_cast(golden_case):
    away = rn.Cast(rn.Rounding.NEAREST_AWAY)
    x = golden_case.inputs["x"].view(np.float32)
    golden_case.check(rn.encode(x, rn.E4M3, away))
"""
PLAIN_TEST = "def test_nothing():\n    pass\n"


def run_pytest(python: str, folder: Path, *options: str) -> subprocess.CompletedProcess:
    names = {"PYTEST_ADDOPTS", "PYTHONPATH", "PYTEST_PLUGINS"}
    return subprocess.run(
        [python, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k not in names},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A Python in which refnum is installed as a user would do it, beside these extras."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True, system_site_packages=False)
    python = str(folder / "bin" / "python")
    source = tmp_path_factory.mktemp("source")
    for name in ("refnum", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        origin = ROOT / name
        copy = shutil.copytree if origin.is_dir() else shutil.copy
        copy(origin, source / name)
    result = subprocess.run(
        [python, "-m", "pip", "install", "-q", f"{source}[testing]"],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        pytest.skip(f"pip cannot install here: {result.stderr.strip()[-200:]}")
    return python


def project(tmp_path: Path, text: str) -> Path:
    (tmp_path / "test_kernel.py").write_text(text)
    return tmp_path


def test_foreign_project(installed, tmp_path):
    result = run_pytest(
        installed, project(tmp_path, KERNEL_TEST), f"--refnum-golden={GOLDEN}", "-v"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "test_cast[encode/e4m3.toward_zero.none.hex] PASSED" in result.stdout
    assert "4 passed" in result.stdout
    assert "warning" not in result.stdout.lower()


def test_wrong_kernel_is_told_the_case(installed, tmp_path):
    folder = project(tmp_path, WRONG_TEST)
    result = run_pytest(installed, folder, f"--refnum-golden={GOLDEN}")
    assert result.returncode == 1
    assert "tie to the even code" in result.stdout


def test_without_the_option_cases_are_skipped(installed, tmp_path):
    result = run_pytest(installed, project(tmp_path, KERNEL_TEST), "-rs")
    assert result.returncode == 0
    assert "needs --refnum-golden DIR" in result.stdout


@pytest.mark.parametrize("golden", ["nowhere", "."])
def test_no_golden_folder_is_one_clear_line(installed, tmp_path, golden):
    folder = project(tmp_path, KERNEL_TEST)
    result = run_pytest(installed, folder, f"--refnum-golden={golden}")
    assert result.returncode == 2
    lines = [t for t in result.stdout.splitlines() if t.startswith("E ")]
    assert len(lines) == 1
    assert f"{golden}: no " in lines[0]


def test_other_projects_notice_nothing(installed, tmp_path):
    subprocess.run(
        [installed, "-m", "pip", "uninstall", "-qy", "hypothesis", "mpmath"], check=True
    )
    result = run_pytest(installed, project(tmp_path, PLAIN_TEST))
    assert result.returncode == 0
    assert "1 passed" in result.stdout
    assert "warning" not in (result.stdout + result.stderr).lower()


def test_the_plugin_imports_pytest_alone():
    program = (
        "import sys, refnum; before = set(sys.modules); import refnum.testing.plugin;"
        "new = {m for m in set(sys.modules) - before if m.startswith(('refnum', 'hyp'))};"
        "print(sorted(new))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "hypothesis" not in output
