"""The commands golden, verify and demo: what they print, and their exit status."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refnum.cli import main
from refnum.golden import entries, find, store

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "golden"
PROGRAM = "import sys, refnum.cli; sys.exit(refnum.cli.main())"
FILE = GOLDEN / "encode/e4m3.nearest_even.finite.hex"


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.hex"
    path.write_text(FILE.read_text())
    return path


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        timeout=60,
        **options,
    )


def test_verify_equal(mine, capsys):
    assert main(["verify", str(FILE), str(mine)]) == 0
    assert capsys.readouterr().out.startswith("equal: all 1111 cases of ")


def test_verify_names_one_changed_code_and_its_reason(mine, capsys):
    mine.write_text(mine.read_text().replace("43e80000_7e", "43e80000_7d"))
    assert main(["verify", str(FILE), str(mine)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("1 of 1111 cases differ (0.09 %), up to 1 code apart\n")
    assert "x 43e80000 = 464\n  got 7d = 416, want 7e = 448" in out
    assert "midpoint 448|480: tie to the even code" in out


def test_verify_json(mine, capsys):
    mine.write_text(mine.read_text().replace("43e80000_7e", "43e80000_7d"))
    assert main(["verify", str(FILE), str(mine), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["differing"] == 1
    assert report["first"][0]["want"] == "7e"


def remove(path):
    path.unlink()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def strip_header(path):
    path.write_text(path.read_text().partition("\n")[2])


@pytest.mark.parametrize("spoil", [remove, truncate, strip_header])
def test_unusable_candidates_give_one_line_and_status_2(mine, capsys, spoil):
    spoil(mine)
    assert main(["verify", str(FILE), str(mine)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("refnum: ")
    assert captured.err.count("\n") == 1
    assert "mine.hex" in captured.err


def test_unusable_golden_files_give_status_2(mine, capsys):
    for golden in (GOLDEN, GOLDEN / "none.hex", GOLDEN / "manifest.json"):
        assert main(["verify", str(golden), str(mine)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_verify_reads_standard_input():
    with FILE.open("rb") as stdin:
        assert run("verify", FILE, "-", stdin=stdin).returncode == 0
    done = run("verify", FILE, "-", input=b"\x00")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"refnum: standard input: 1 bytes")


def test_golden_list(capsys):
    assert main(["golden", "list"]) == 0
    paths = capsys.readouterr().out.split()
    assert paths == [entry.path for entry in entries()]
    assert main(["golden", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == paths


def test_golden_write_and_check(tmp_path, monkeypatch, capsys):
    few = tuple(entry for entry in entries() if "e2m1" in entry.path)
    monkeypatch.setattr(store, "entries", lambda: few)
    folder = tmp_path / "new"
    assert main(["golden", "write", str(folder), "--seed", "5"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "files written" in captured.err
    assert main(["golden", "check", str(folder)]) == 0
    assert capsys.readouterr().out == ""
    target = folder / "decode/e2m1.hex"
    target.write_text(target.read_text().replace("// 6\n", "// seven\n"))
    assert main(["golden", "check", str(folder)]) == 1
    assert capsys.readouterr().out.startswith("decode/e2m1.hex: line 9 is ")
    assert main(["golden", "check", str(folder), "--json"]) == 1
    (mismatch,) = json.loads(capsys.readouterr().out)["mismatches"]
    assert mismatch["path"] == "decode/e2m1.hex"


@pytest.mark.parametrize(
    "arguments",
    [
        ["golden", "check", "nowhere"],
        ["golden", "write", "x", "--level", "3"],
        ["golden", "write", "x", "--seed", "-1"],
        ["demo", "--golden", "nowhere"],
    ],
)
def test_wrong_usage_gives_status_2(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_golden_files_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find() == GOLDEN
    monkeypatch.chdir(ROOT)
    assert find() == Path("golden")
    assert find(tmp_path) == tmp_path


def test_demo():
    done = run("demo", text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "32 captures: 18 equal, 14 explained, none unexplained"
    columns = {line.index("  casts.") for line in lines if "  casts." in line}
    assert len(columns) == 1  # aligned
    assert max(map(len, lines)) < 140


def test_demo_json(tmp_path, capsys):
    shutil.copytree(GOLDEN / "hardware", tmp_path / "hardware")
    digests = tmp_path / "hardware/h100/cvt_f32_digests.json"  # these take seconds
    digests.write_text(json.dumps({"block": 1 << 24, "sha256": {}}))
    assert main(["demo", "--json", "--golden", str(tmp_path)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(row["explained"] for row in rows)
    assert {row["capture"]: row["equal"] for row in rows}["CUDA bf16 to e4m3"] == 65536
    digests.write_text("{}")
    assert main(["demo", "--golden", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_demo_fails_where_nothing_explains(tmp_path, capsys):
    shutil.copytree(GOLDEN / "hardware", tmp_path / "hardware")
    folder = tmp_path / "hardware/h100"
    (folder / "cvt_f32_digests.json").write_text('{"block": 16777216, "sha256": {}}')
    np.savez(folder / "cvt_bf16.npz", bf16_to_e4m3=np.zeros(1 << 16, np.uint8))
    assert main(["demo", "--golden", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "65,536           ?           ?  NOTHING\n" in out
    assert out.endswith("10 captures: 4 equal, 5 explained, 1 unexplained\n")
