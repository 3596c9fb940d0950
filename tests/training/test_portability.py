"""Golden trajectories on other machines: instruction sets, BLAS kernels, threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from refnum.golden import read_bundle
from refnum.golden.training import training_cases

from .._machines import MACHINES, printed_on

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "golden"
PATHS = [path for path, _ in training_cases()]
# `refnum golden check` makes them on this one.
OTHERS = [machine for machine in MACHINES if machine != "as it is"]

# Prints one line a case: path, bits of the losses, digest of the last parameters.
PROGRAM = """
from refnum.golden.training import training_bundle, training_cases
for path, trajectory in training_cases():
    bundle = training_bundle(trajectory, 1)
    print(path, bundle["loss"].tobytes().hex(), bundle.spec["parameters_sha256"])
"""


@pytest.fixture(scope="module")
def printed():
    """What each machine prints; two of them run at a time."""
    with ThreadPoolExecutor(2) as pool:
        return {m: pool.submit(printed_on, m, PROGRAM) for m in OTHERS}


@pytest.mark.parametrize("machine", OTHERS)
def test_trajectories_are_the_golden_ones(machine, printed):
    lines = [line.split() for line in printed[machine].result().splitlines()]
    assert [path for path, _, _ in lines] == PATHS
    for path, losses, digest in lines:
        golden = read_bundle(GOLDEN / path)
        got = np.frombuffer(bytes.fromhex(losses), np.float32)
        assert got.tolist() == golden["loss"].tolist(), path
        assert digest == golden.spec["parameters_sha256"], path


@pytest.mark.parametrize("path", PATHS)
def test_a_golden_trajectory_says_the_same_twice(path):
    golden = read_bundle(GOLDEN / path)
    losses = [float.fromhex(text) for text in golden.spec["losses"]]
    assert losses == golden["loss"].tolist()
    last = golden["parameters_sha256"][-1].tobytes().hex()
    assert last == golden.spec["parameters_sha256"]
