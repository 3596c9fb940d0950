"""Rotations as arrays lie, to a narrow format, against those of float64 rows."""

import numpy as np
import pytest

import refnum as rn
from refnum.blocks import hadamard, random_signs

from ._rotations import bits


def kinds(shape, rng):
    """Arrays whose sums fit, do not fit, cancel, vanish, overflow, or are no numbers."""
    x = rng.normal(size=shape)
    special = rng.choice([np.inf, -np.inf, np.nan, 3e38, -0.0], size=shape)
    yield "normal", x
    yield "wide", x * np.exp(8 * rng.normal(size=shape))
    yield "integers", np.rint(8 * x)
    yield "tiny", x * 2.0**-130
    yield "sparse", np.where(rng.random(shape) < 0.7, 0, x)
    yield "any", x * 2.0 ** rng.integers(-120, 120, size=shape).astype(float)
    yield "bfloat16", rn.round_to(x.astype(np.float32), rn.BF16)
    yield "special", np.where(rng.random(shape) < 0.01, special, x)
    yield "zeros", 0 * x


@pytest.mark.parametrize("order", ["signs_first", "signs_last"])
@pytest.mark.parametrize(
    ("shape", "axis", "size"),
    [
        ((48, 40), 0, 16),
        ((40, 32), 1, 16),
        ((3, 8, 7), 1, 4),
        ((64,), 0, 64),
        ((128, 260), 0, 128),  # in pieces of columns
        ((96, 20), 0, 32),
        ((3, 256), 1, 256),
        ((2, 64, 9), 1, 2),
        ((1024, 2), 0, 1024),
    ],
)
def test_as_float64_has_it(shape, axis, size, order):
    rng = np.random.default_rng(size)
    for signs in (None, random_signs(size, seed=1)):
        options = {"signs": signs, "axis": axis, "order": order, "output": rn.BF16}
        for name, values in kinds(shape, rng):
            if name == "any" and size > 32:  # float64 goes by way of Fractions
                continue
            with np.errstate(over="ignore"):
                x = values.astype(np.float32)
            expected = bits(hadamard(x.astype(np.float64), size, **options))
            nan = np.isnan(expected.view(np.float32))
            for laid in (x, np.asfortranarray(x), np.repeat(x, 2, axis=-1)[..., ::2]):
                found = bits(hadamard(laid, size, **options))
                same = (found == expected) | (nan & np.isnan(found.view(np.float32)))
                assert same.all(), name


def test_a_small_term_decides_between_two():
    """Sums next to a midpoint, where float64 has lost what decides."""
    x = np.zeros((16, 4), np.float32)
    x[0] = 4 * (1 + 2.0**-8)  # the midpoint of two bfloat16, times sqrt(16)
    x[1] = [2.0**-100, -(2.0**-100), 2.0**-60, 0]
    found = hadamard(x, 16, axis=0, output=rn.BF16)
    assert found[0].tolist() == [1 + 2.0**-7, 1, 1 + 2.0**-7, 1]
    assert found[1].tolist() == [1, 1 + 2.0**-7, 1, 1]
