"""Results: appended, repaired, never lost."""

import json
import os
import subprocess
import sys

import pytest

from refnum.studies import Design, read_results
from refnum.studies.results import Results, latest

from ._studies import line_of, write_lines

LINES = [line_of(Design(block=size), 0, 0.5) for size in (8, 16, 32)]


def test_what_is_added_is_read(tmp_path):
    with Results(tmp_path / "new" / "folder") as results:
        for line in LINES:
            results.add(line)
    assert read_results(tmp_path / "new" / "folder") == LINES


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_torn_last_line_is_taken_away(tmp_path, cut):
    path = write_lines(tmp_path, LINES)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert read_results(tmp_path) == LINES[:2]  # a report reads what is whole
    with Results(tmp_path) as results:
        assert set(results.lines) == {line["id"] for line in LINES[:2]}
        assert results.repaired > 0
        results.add(LINES[2])
    assert read_results(tmp_path) == LINES


def test_zeros_after_a_power_failure_are_taken_away(tmp_path):
    path = write_lines(tmp_path, LINES)
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(300))
    with Results(tmp_path) as results:
        assert results.repaired == 300
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: "{" + json.dumps(line), "no JSON"),
        (lambda line: "[1]", "no object"),
        (lambda line: json.dumps({**line, "form": 9}), "form is 9"),
        (lambda line: json.dumps({**line, "outcome": "nice"}), "no outcome"),
        (lambda line: json.dumps({**line, "value": None}), "no value"),
        (lambda line: json.dumps({**line, "configuration": {}}), "no configuration"),
        (
            lambda line: json.dumps(
                {**line, "configuration": {**line["configuration"], "seed": "0"}}
            ),
            "no seed",
        ),
        (lambda line: "[" * 100000, "no.JSON"),
    ],
    ids=["torn", "list", "form", "outcome", "value", "configuration", "seed", "deep"],
)
def test_damage_in_the_middle_is_said_and_left(tmp_path, change, said):
    path = write_lines(tmp_path, LINES)
    lines = path.read_text().splitlines()
    lines[1] = change(LINES[1])
    path.write_text("\n".join(lines) + "\n")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"line 2: .*{said}"):
        read_results(tmp_path)
    with pytest.raises(ValueError, match="line 2"):
        Results(tmp_path)
    assert path.read_bytes() == before


def test_one_process_adds_at_a_time(tmp_path):
    program = (
        "import sys; from pathlib import Path; from refnum.studies.results import Results\n"
        "try: Results(Path(sys.argv[1]))\n"
        "except ValueError as error: print(error)\n"
    )
    with Results(tmp_path):
        said = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert "another sweep" in said


def test_a_success_stands_before_failures():
    failed = {**LINES[0], "outcome": "failed", "error": "no"}
    assert latest([failed, LINES[0]])[LINES[0]["id"]] == LINES[0]
    assert latest([LINES[0], failed])[LINES[0]["id"]] == LINES[0]
    again = {**failed, "error": "again"}
    assert latest([failed, again])[LINES[0]["id"]] == again


def test_no_results(tmp_path):
    with pytest.raises(ValueError, match="no results here"):
        read_results(tmp_path)


def test_a_full_disk_is_an_error(tmp_path, monkeypatch):
    if not os.path.exists("/dev/full"):  # noqa: PTH110 a device, not a file of ours
        pytest.skip("no /dev/full")
    with Results(tmp_path) as results:
        results.add(LINES[0])
        file = results._file
        with open("/dev/full", "ab", buffering=0) as full:  # noqa: PTH123 as above
            results._file = full
            with pytest.raises(OSError, match="No space"):
                results.add(LINES[1])
        results._file = file
        assert LINES[1]["id"] not in results.lines
    assert read_results(tmp_path) == LINES[:1]
