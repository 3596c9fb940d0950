"""Sweeps: resumed, repeated, killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import tomllib
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from refnum.cli import main
from refnum.studies import measure, parse_study, read_results, sweep, sweeping
from refnum.studies.results import Results

from ._studies import TINY, tiny, write_tiny


def values(folder):
    """What came out, without how long it took."""
    return {line["id"]: line["value"] for line in read_results(folder)}


def test_threads_and_processes_agree_with_the_plain_loop(tmp_path):
    study = tiny()
    for executor in ("threads", "processes"):
        sweep(study.configurations, tmp_path / executor, executor=executor, workers=2)
    plain = {one.id: measure(one)["value"] for one in study.configurations}
    assert values(tmp_path / "threads") == plain
    assert values(tmp_path / "processes") == plain


def test_what_has_a_result_is_not_trained_again(tmp_path):
    study = tiny()
    first = sweep(study.configurations, tmp_path, executor="threads", limit=3)
    assert first.done == 3
    before = (tmp_path / "results.jsonl").read_bytes()
    second = sweep(study.configurations, tmp_path, executor="threads")
    assert (second.known, second.done) == (3, len(study.configurations) - 3)
    third = sweep(study.configurations, tmp_path, executor="threads")
    assert third.done == 0
    assert (tmp_path / "results.jsonl").read_bytes().startswith(before)
    assert len(read_results(tmp_path)) == len(study.configurations)


def test_failures_are_kept_and_tried_again_when_asked(tmp_path, monkeypatch):
    study = tiny()
    bad = study.configurations[3].id

    def fail(one):
        if one.id == bad:
            raise ZeroDivisionError("planted")
        return {"outcome": "finished", "value": 1.0}

    with monkeypatch.context() as patch:
        patch.setattr("refnum.studies.measuring._train", fail)
        done = sweep(study.configurations, tmp_path, executor="threads")
        assert done.outcomes["failed"] == 1
    failed = [one for one in read_results(tmp_path) if one["outcome"] == "failed"]
    assert [one["id"] for one in failed] == [bad]
    assert "ZeroDivisionError: planted" in failed[0]["error"]
    assert "Traceback" in failed[0]["error"]
    assert sweep(study.configurations, tmp_path, executor="threads").done == 0
    again = sweep(study.configurations, tmp_path, executor="threads", retry_failed=True)
    assert again.outcomes == {"finished": 1}
    lines = [one["outcome"] for one in read_results(tmp_path) if one["id"] == bad]
    assert lines == ["failed", "finished"]  # the failure is not forgotten


def test_a_killed_worker_takes_nothing_along(tmp_path):
    study = tiny(steps=150)
    killed = []

    def kill_one(progress, line):
        if progress.done == 3 and not killed:
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    progress = sweep(study.configurations, tmp_path, workers=2, tell=kill_one)
    assert killed
    assert progress.deaths >= 1
    assert progress.outcomes == {"finished": len(study.configurations)}
    lines = read_results(tmp_path)
    assert len(lines) == len({one["id"] for one in lines}) == len(study.configurations)


class Mortal:
    """Workers of a pool that breaks whenever it meets one configuration."""

    def __init__(self, poison, count=3):
        self.count, self.poison = count, poison
        self.flying, self.deaths, self.calls = [], 0, []

    def submit(self, call, one):
        self.calls.append(one.id)
        future = Future()
        self.flying.append((future, call, one))
        if len(self.flying) == self.count or one.id == self.poison:
            self.land()
        return future

    def land(self):
        broken = any(one.id == self.poison for _, _, one in self.flying)
        for future, call, one in self.flying:
            if broken:
                future.set_exception(BrokenProcessPool("planted"))
            else:
                future.set_result(call(one))
        self.flying = []

    def lost(self, error):
        return isinstance(error, BrokenProcessPool)

    def rebuild(self):
        self.deaths += 1

    def close(self):
        pass


def test_a_configuration_that_kills_its_worker_is_given_up(tmp_path, monkeypatch):
    study = tiny()
    poison = study.configurations[4].id
    crew = Mortal(poison, count=1)
    crew.count = 1
    monkeypatch.setattr(sweeping, "workers_of", lambda *_: crew)
    monkeypatch.setattr(
        "refnum.studies.measuring._train",
        lambda _: {"outcome": "finished", "value": 1.0},
    )
    done = sweep(study.configurations, tmp_path)
    assert done.outcomes == {"finished": len(study.configurations) - 1, "failed": 1}
    assert crew.calls.count(poison) == crew.deaths == 3
    failed = [one for one in read_results(tmp_path) if one["outcome"] == "failed"]
    assert [one["id"] for one in failed] == [poison]
    assert "died 3 times" in failed[0]["error"]


def test_those_beside_it_are_not_blamed(tmp_path, monkeypatch):
    study = tiny()
    poison = study.configurations[2].id
    crew = Mortal(poison)  # it takes the two before it along
    monkeypatch.setattr(sweeping, "workers_of", lambda *_: crew)
    monkeypatch.setattr(
        "refnum.studies.measuring._train",
        lambda _: {"outcome": "finished", "value": 1.0},
    )
    original = crew.submit

    def submit(call, one):  # alone, a call lands at once
        future = original(call, one)
        if crew.deaths and crew.flying:
            crew.land()
        return future

    crew.submit = submit
    done = sweep(study.configurations, tmp_path)
    assert done.outcomes == {"finished": len(study.configurations) - 1, "failed": 1}
    for one in study.configurations[:2]:
        assert crew.calls.count(one.id) == 2  # in flight when the pool broke, and alone
    assert crew.calls.count(poison) == 3
    for one in study.configurations[3:]:
        assert crew.calls.count(one.id) == 1


def children_of(pid):
    """The processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            facts = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(facts[1]) == pid and facts[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def is_alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def start_sweep(tmp_path, **changes):
    path = write_tiny(tmp_path / "tiny.toml", **changes)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "refnum", "sweep", str(path), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--workers", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    return path, out, process


def wait_for_lines(out, count, process):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        results = out / "results.jsonl"
        if results.exists() and results.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"no {count} lines: {process.stderr.read().decode()}")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_killed_sweep_leaves_no_workers_and_loses_nothing(tmp_path):
    path, out, process = start_sweep(tmp_path, steps=100)
    with process:
        wait_for_lines(out, 3, process)
        workers = children_of(process.pid)
        assert len(workers) >= 2
        process.kill()
        process.wait()
    end = time.monotonic() + 20
    while any(map(is_alive, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))
    with (out / "results.jsonl").open("ab") as file:
        file.write(b'{"form":1,"id":"0123')  # as if it was killed while writing
    before = read_results(out)
    assert (
        main(["sweep", str(path), "--out", str(out), "--workers", "1", "--quiet"]) == 0
    )
    after = read_results(out)
    assert after[: len(before)] == before
    assert len(after) == len({one["id"] for one in after}) == 10


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_keeps_what_was_stored(tmp_path):
    _, out, process = start_sweep(tmp_path, steps=100)
    with process:
        wait_for_lines(out, 2, process)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        assert process.wait(timeout=30) == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    with Results(out) as results:
        assert results.repaired == 0
        assert len(results.lines) >= 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--executor", "ray"], "dask:ADDRESS"),
        (["--workers", "0"], "workers is 0"),
        (["--limit", "-1"], "limit is -1"),
    ],
)
def test_wrong_usage(tmp_path, capsys, arguments, said):
    path = write_tiny(tmp_path / "tiny.toml")
    out = str(tmp_path / "out")
    assert main(["sweep", str(path), "--out", out, "--quiet", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_dry_run_trains_nothing(tmp_path, capsys):
    path = write_tiny(tmp_path / "tiny.toml")
    assert main(["sweep", str(path), "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 10
    assert "10 configurations" in printed.err
    assert [one.name for one in tmp_path.iterdir()] == ["tiny.toml"]


@pytest.mark.thorough
def test_two_workers_keep_two_cores_busy(tmp_path):
    """Nearly two runs are under way all the time, and take no more work than with one.

    The clock would say so too on a machine of its own; other load makes it unfair.
    """
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")
    table = tomllib.loads(TINY) | {"seeds": 13}
    table["tasks"][0] |= {"steps": 150, "batch": 128}
    configurations = parse_study(table).configurations
    one, two = (measured(configurations, tmp_path / c, int(c)) for c in "12")
    assert values(tmp_path / "1") == values(tmp_path / "2")
    assert two[1] / one[1] > 1.7
    assert two[0] < 1.25 * one[0]  # two start, and caches are shared


def measured(configurations, folder, count):
    """Processor time of 64 runs, and how many of them are under way at a time."""
    before, start = os.times(), time.monotonic()
    done = sweep(configurations, folder, workers=count, limit=64)
    wall, after = time.monotonic() - start, os.times()
    assert done.outcomes == {"finished": 64}
    seconds = sum(line["seconds"] for line in read_results(folder))
    return after.children_user - before.children_user, seconds / wall
