"""The machines of the portability tests do differ: NumPy's own bits change with them."""

import platform

import numpy as np
import pytest

from ._machines import MACHINES, printed_on

PROGRAM = """
import hashlib
import numpy as np
rng = np.random.default_rng(0)
a, b = rng.standard_normal((2, 300, 300), dtype=np.float32)
for array in (np.exp(a), a @ b):
    print(hashlib.sha256(array.tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def printed():
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the names are those of x86-64")
    if not np.show_config(mode="dicts")["SIMD Extensions"].get("found"):
        pytest.skip("NumPy found nothing to leave out")
    return {machine: printed_on(machine, PROGRAM).split() for machine in MACHINES}


def test_functions_change_without_avx2(printed):
    assert printed["as it is"][0] != printed["without AVX2 and FMA"][0]


def test_products_change_with_kernels(printed):
    assert printed["Haswell, 1"][1] != printed["Nehalem, 1"][1]
