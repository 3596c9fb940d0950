"""One digest on every machine: other instruction sets, BLAS kernels, thread counts."""

import re

import pytest

from refnum import elementary

from .._machines import MACHINES, printed_on

PROGRAM = """
import hashlib
import numpy as np
from refnum import elementary

rng = np.random.default_rng(0)
x = rng.integers(1 << 32, size=50_000, dtype=np.uint32).view(np.float32)
x = np.concatenate([x, rng.standard_normal(50_000, dtype=np.float32)])
digest = hashlib.sha256()
functions = "cos erf exp exp2 expm1 gelu log log1p rsqrt sigmoid silu sin sqrt tanh"
for name in functions.split():
    digest.update(getattr(elementary, name)(x).tobytes())
digest.update(elementary.gelu(x, approximate="tanh").tobytes())
for n in (-3, 2, 7):
    digest.update(elementary.power(x, n).tobytes())
rows = rng.standard_normal((40, 50, 30), dtype=np.float32)
for axis in (0, 1, 2, (0, 2), None):
    for order in ("pairwise", "sequential", "exact"):
        digest.update(elementary.sum(rows, axis, order=order).tobytes())
        digest.update(elementary.mean(rows, axis, order=order).tobytes())
    for name in ("softmax", "log_softmax", "logsumexp", "layer_norm", "rms_norm"):
        digest.update(getattr(elementary, name)(rows, axis).tobytes())
print(digest.hexdigest())
"""

# What it is on every machine; a change of it is a change of bits.
DIGEST = "5ead401f90aa738b9c3dbfe78c8eaadf4c14c662239b61c69e8fc42947a03a78"


@pytest.mark.parametrize("machine", MACHINES)
def test_one_digest(machine):
    assert printed_on(machine, PROGRAM) == DIGEST


def test_the_digest_covers_every_function():
    assert set(elementary.__all__) <= set(re.findall(r"\w+", PROGRAM)) | {"Order"}
