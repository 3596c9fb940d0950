"""Writing a suite, and finding every way in which one on disk is wrong."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from refnum.golden import (
    Bundle,
    Disagreement,
    Entry,
    Options,
    Tensor,
    check,
    entries,
    store,
    write,
)

ROOT = Path(__file__).resolve().parents[2]
PATHS = ("decode/e2m1.hex", "encode/e2m1.nearest_even.finite.hex", "philox/4x32-7.hex")


def bundle(_):
    y = Tensor("y", "out", np.arange(3, dtype=np.float32))
    return Bundle("copy", {"why": "a test"}, (y,))


CHOSEN = (
    *(entry for entry in entries() if entry.path in PATHS),
    Entry("copy/plain", bundle),
)
TARGET = "decode/e2m1.hex"


@pytest.fixture
def suite(tmp_path):
    write(tmp_path, chosen=CHOSEN)
    return tmp_path


def problems(folder):
    return [str(mismatch) for mismatch in check(folder, CHOSEN)]


def edit(path, old, new, count=1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def test_the_golden_files_of_the_repository_are_as_generated():
    assert check(ROOT / "golden") == []


def test_the_files_of_scalars_are_small():
    folders = ("decode", "encode", "stochastic", "philox")
    files = (path for name in folders for path in (ROOT / "golden" / name).iterdir())
    assert sum(path.stat().st_size for path in files) < 2_100_000


def test_what_is_written_checks(suite):
    assert problems(suite) == []
    written = {p.relative_to(suite).as_posix() for p in suite.rglob("*") if p.is_file()}
    assert written == {
        *PATHS,
        "copy/plain/case.json",
        "copy/plain/y.f32.bin",
        "manifest.json",
        "SHA256SUMS",
    }


def test_writing_again_changes_nothing(suite):
    before = {path: path.read_bytes() for path in suite.rglob("*") if path.is_file()}
    write(suite, chosen=CHOSEN)
    assert before == {p: p.read_bytes() for p in suite.rglob("*") if p.is_file()}


def test_checksums_are_those_of_sha256sum(suite):
    lines = (suite / "SHA256SUMS").read_text().splitlines()
    assert lines == sorted(lines, key=lambda line: line.split("  ")[1])
    for line in lines:
        digest, path = line.split("  ")
        assert hashlib.sha256((suite / path).read_bytes()).hexdigest() == digest


def test_manifest_describes_every_entry(suite):
    manifest = json.loads((suite / "manifest.json").read_text())
    assert [entry["path"] for entry in manifest["entries"]] == [e.path for e in CHOSEN]
    first = manifest["entries"][0]
    assert first["count"] == 16
    assert first["columns"] == ["code:4", "value:32"]
    assert (manifest["level"], manifest["seed"]) == (1, 1)


def test_level_and_seed_are_those_of_the_manifest(tmp_path):
    write(tmp_path, Options(level=2, seed=7), CHOSEN[1:2])
    assert check(tmp_path, CHOSEN[1:2]) == []


def test_a_changed_byte(suite):
    edit(suite / TARGET, "7_40c00000", "7_40c00001")
    assert problems(suite) == [
        f"{TARGET}: line 9 is '7_40c00001 // 6', should be '7_40c00000 // 6'"
    ]


def test_a_missing_line(suite):
    lines = (suite / TARGET).read_text().splitlines(keepends=True)
    (suite / TARGET).write_text("".join(lines[:-1]))
    assert problems(suite) == [f"{TARGET}: line 17 is missing: 'f_c0c00000 // -6'"]


def test_an_extra_line(suite):
    with (suite / TARGET).open("a") as file:
        file.write("0_00000000\n")
    assert problems(suite) == [f"{TARGET}: line 18 is too much: '0_00000000'"]


def test_other_line_ends(suite):
    data = (suite / TARGET).read_bytes()
    (suite / TARGET).write_bytes(data.replace(b"\n", b"\r\n"))
    assert problems(suite) == [f"{TARGET}: line ends differ"]


def test_a_missing_file(suite):
    (suite / TARGET).unlink()
    assert problems(suite) == [f"{TARGET}: missing"]


def test_an_unknown_file(suite):
    (suite / "decode/mine.hex").write_text("")
    assert problems(suite) == ["decode/mine.hex: not part of the suite"]


def test_a_changed_tensor(suite):
    (suite / "copy/plain/y.f32.bin").write_bytes(bytes(12))
    assert [p.partition(":")[0] for p in problems(suite)] == ["copy/plain/y.f32.bin"]


def test_a_changed_manifest(suite):
    edit(suite / "manifest.json", '"count": 16', '"count": 17')
    (problem,) = problems(suite)
    assert problem.startswith("manifest.json: line 9 is ' ")


def test_changed_evidence(suite):
    capture = suite / "hardware/chip/capture.npz"
    capture.parent.mkdir(parents=True)
    capture.write_bytes(b"as captured")
    write(suite, chosen=CHOSEN)
    assert problems(suite) == []
    capture.write_bytes(b"edited")
    (problem,) = problems(suite)
    assert problem.startswith("SHA256SUMS: line ")
    assert "hardware/chip/capture.npz" in problem


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (None, "no golden suite here"),
        ("{", "no manifest of a golden suite"),
        ("[]", "no manifest of a golden suite"),
        ('{"level": 9, "seed": 1}', "level must be 1 or 2, not 9"),
    ],
)
def test_a_folder_without_a_suite(tmp_path, manifest, message):
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(ValueError, match=message):
        check(tmp_path, CHOSEN)


def test_a_disagreement_writes_nothing(tmp_path):
    def disagree(_):
        raise Disagreement("two numbers")

    with pytest.raises(Disagreement):
        write(tmp_path, chosen=(*CHOSEN, Entry("decode/wrong.hex", disagree)))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_the_old_file(suite, monkeypatch):
    old = (suite / TARGET).read_bytes()

    def full(*_):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        store.write_atomically(suite / TARGET, b"new")
    assert (suite / TARGET).read_bytes() == old
    assert [p.name for p in (suite / TARGET).parent.iterdir()] == ["e2m1.hex"]


def test_files_of_others_are_left_alone(suite):
    mine = suite / "notes.txt"
    mine.write_text("mine")
    write(suite, chosen=CHOSEN)
    assert mine.read_text() == "mine"
    assert problems(suite) == []
