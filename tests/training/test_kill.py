"""A run that is killed or interrupted goes on to the bits of one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refnum.cli import main
from refnum.training import read_checkpoint, read_history
from refnum.training.folder import CHECKPOINT
from refnum.training.log import LOG

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork, signals")

# Ten children are killed, each after a random number of steps and a random moment more.
KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from refnum.training import Plan, Regression, train
from refnum.training.folder import CHECKPOINT
from refnum.training.log import LOG

task = Regression(inputs=16, outputs=4)
plan = Plan(steps=40, batch=8, learning_rate=1e-2, warmup=4, checkpoints=13)
place, rng, killed = Path(sys.argv[1]), random.Random(int(sys.argv[2])), 0
train(task, plan=plan, out=place / "whole")
whole = (place / "whole" / CHECKPOINT).read_bytes()
for k in range(10):
    out = place / str(k)
    child = os.fork()
    if child == 0:
        train(task, plan=plan, out=out)
        os._exit(0)
    lines, log = rng.randrange(1, 40), out / LOG
    while not (log.exists() and log.read_bytes().count(b"\\n") > lines):
        time.sleep(1e-4)
    time.sleep(rng.random() * 2e-3)
    os.kill(child, signal.SIGKILL)
    killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    train(task, plan=plan, out=out, resume=True)
    assert (out / CHECKPOINT).read_bytes() == whole, out
    assert sorted(p.name for p in out.iterdir()) == [CHECKPOINT, LOG], out
print(killed)
"""


def test_ten_killed_runs_end_in_the_same_bits(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), "1"],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 7  # the others were done before the signal came


ARGUMENTS = ["train", "regression", "--set", "inputs=64", "--batch", "16"]
ARGUMENTS += ["--steps", "300", "--quiet"]
PROGRAM = "import sys, refnum.cli; sys.exit(refnum.cli.main())"


def test_ctrl_c_leaves_a_usable_checkpoint(tmp_path, capsys):
    out = tmp_path / "run"
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *ARGUMENTS, "--out", str(out)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 60
    while not ((out / LOG).exists() and (out / LOG).read_bytes().count(b"\n") > 5):
        assert time.monotonic() < limit
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    printed, said = child.communicate(timeout=60)
    assert (child.returncode, printed) == (130, "")
    assert said == f"refnum: interrupted; go on with --resume --out {out}\n"
    history = read_history(out)
    assert history.outcome == "interrupted"
    done = read_checkpoint(out / CHECKPOINT).facts["step"]
    assert 0 < done == len(history.steps) < 300
    assert main([*ARGUMENTS, "--out", str(out), "--resume"]) == 0
    whole = tmp_path / "whole"
    assert main([*ARGUMENTS, "--out", str(whole)]) == 0
    assert (out / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()
    capsys.readouterr()
