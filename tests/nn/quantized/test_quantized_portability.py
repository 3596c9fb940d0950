"""All recipes give one digest: without AVX2, on other BLAS kernels, with two threads."""

import pytest

from ..._machines import SOME, printed_on

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


@pytest.fixture(scope="module")
def here():
    return printed_on("as it is", PROGRAM)


@pytest.mark.parametrize("machine", SOME[1:])
def test_one_digest(machine, here):
    assert len(here) == 64
    assert printed_on(machine, PROGRAM) == here
