"""Rotations by float32 sums in index order, and what BLAS may do with them."""

import numpy as np
import pytest

from refnum.blocks import in_order
from refnum.blocks.hadamard import hadamard
from refnum.blocks.in_order import add_in_order, product_in_order
from refnum.blocks.signs import random_signs
from refnum.blocks.sylvester import sylvester

from .._machines import MACHINES, printed_on
from ._rotations import SIZES, bits, normals, sequential_by_definition, wild

PROGRAM = """
import hashlib
import numpy as np
from refnum.blocks import hadamard, random_signs

rng = np.random.default_rng(0)
x = np.ldexp(rng.standard_normal((100, 2048)), rng.integers(-20, 1, (100, 2048)))
digest = hashlib.sha256()
for size in (2, 8, 16, 32, 64, 128, 1024):
    for order in ("signs_first", "signs_last"):
        for arithmetic in ("exact", "butterfly", "sequential"):
            signs = random_signs(size, seed=1)
            y = hadamard(x, size, signs=signs, order=order, arithmetic=arithmetic)
            digest.update(y.tobytes())
print(digest.hexdigest())
"""

# What it is on every machine; a change of it is a change of bits.
DIGEST = "b13ea150fd5457430e8aafe05e8966207c1552ee8af3787e04332d525b2c8de0"


@pytest.fixture(params=["as it is", "by definition"])
def blas(request, monkeypatch):
    """With the products of this machine's BLAS, and without."""
    if request.param == "by definition":
        monkeypatch.setattr(in_order, "_blas_adds_in_order", lambda size: False)


@pytest.mark.usefixtures("blas")
@pytest.mark.parametrize("size", SIZES)
def test_each_operation_by_itself(size):
    x = wild(2 * size, seed=size, spread=30)
    got = hadamard(x, size, arithmetic="sequential").reshape(2, size)
    for run, result in zip(x.reshape(2, size), got, strict=True):
        assert np.array_equal(bits(result), bits(sequential_by_definition(run, size)))


@pytest.mark.usefixtures("blas")
@pytest.mark.parametrize("signs_first", [True, False])
@pytest.mark.parametrize("size", [2, 16, 32, 64, 256])
def test_signs_are_within_the_sums(size, signs_first):
    x, signs = wild(size, seed=3, spread=40), random_signs(size, seed=size)
    order = "signs_first" if signs_first else "signs_last"
    got = hadamard(x, size, signs=signs, order=order, arithmetic="sequential")
    if signs_first:
        expected = sequential_by_definition(x * signs, size)
    else:
        expected = sequential_by_definition(x, size) * signs + np.float32(0)
    assert np.array_equal(bits(got), bits(expected))


@pytest.mark.parametrize("size", [2, 8, 16, 32])
@pytest.mark.parametrize("rows", [1, 511, 512, 1024, 9000])
def test_products_are_the_definition(size, rows):
    x = np.ldexp(normals(rows, size), np.arange(size, dtype=np.int32) * 5 % 31 - 15)
    x[rows // 2 :] *= np.float32(2.0**-130)
    signs = sylvester(size).astype(np.float32)
    got, expected = np.empty_like(x), np.empty_like(x)
    product_in_order(x, signs, got)
    add_in_order(x, signs, expected)
    assert np.array_equal(bits(got), bits(expected))


def test_minus_zeros_sum_to_zero():
    y = hadamard(np.full(64, -0.0), 32, arithmetic="sequential")
    assert not bits(y).any()


@pytest.mark.parametrize("arithmetic", ["exact", "butterfly", "sequential"])
@pytest.mark.parametrize("size", [16, 32, 128])
def test_there_is_one_nan(size, arithmetic):
    x = np.random.default_rng(0).integers(1 << 32, size=(64, size), dtype=np.uint32)
    x[::2] |= 0x7F800000  # infinities and NaNs of all payloads
    y = hadamard(x.view(np.float32), size, arithmetic=arithmetic)
    assert np.isnan(y).any()
    assert set(bits(y[np.isnan(y)]).tolist()) == {0x7FC00000}


@pytest.mark.parametrize(
    "other",
    [
        lambda x, h: x[:, ::-1] @ h[::-1],
        lambda x, h: (x.astype(np.float64) @ h).astype(np.float32),
        lambda x, h: x[:, ::2] @ h[::2] + x[:, 1::2] @ h[1::2],
        lambda x, h: np.where(abs(x) < 2.0**-126, 0, x).astype(np.float32) @ h,
        lambda x, h: -(-x @ h),
    ],
    ids=["backwards", "float64", "two sums", "flushes subnormals", "keeps minus zero"],
)
def test_a_blas_of_another_order_is_found_out(other, monkeypatch):
    class Library:
        def __getattr__(self, name):
            return getattr(np, name)

        @staticmethod
        def matmul(x, signs, out):
            out[...] = other(x, signs)

    monkeypatch.setattr(in_order, "np", Library())
    ask = in_order._blas_adds_in_order.__wrapped__
    assert not ask(16)


@pytest.mark.parametrize("machine", MACHINES)
def test_one_digest(machine):
    assert printed_on(machine, PROGRAM) == DIGEST
