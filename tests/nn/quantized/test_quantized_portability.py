"""All recipes give one digest: without AVX2, on other BLAS kernels, with two threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import hashlib
import numpy as np
from refnum import recipes
from refnum.autograd import Stream
from refnum.nn import QuantizedProducts

stream = Stream(3)
x, w = stream.normal((64, 64)), stream.normal((64, 64), std=0.1)
dy = Stream(4).normal((64, 64), std=1e-4)
digest = hashlib.sha256()
for name in recipes.names():
    if name.startswith("quartet-ii") and name != "quartet-ii-32":
        continue
    products = QuantizedProducts(recipes.get(name), 1, "fc")
    products.begin(1)
    y, saved = products.forward(x, w)
    for part in (y, *products.backward(dy, saved, (True, True))):
        digest.update(np.ascontiguousarray(part).tobytes())
print(digest.hexdigest())
"""
MACHINES = {
    "without AVX2": {"NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,AVX512_ICL,AVX2,FMA3"},
    "Nehalem": {"OPENBLAS_CORETYPE": "Nehalem"},
    "two threads": {"OPENBLAS_NUM_THREADS": "2"},
}


def digest(**variables):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **variables},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout


@pytest.fixture(scope="module")
def here():
    return digest()


@pytest.mark.parametrize("machine", MACHINES)
def test_one_digest(machine, here):
    assert len(here) == 65
    assert digest(**MACHINES[machine]) == here
