"""Elements rounded by sums are those of the codec."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import Cast, Rounding
from refnum.blocks.rounding import RoundingSpace, grid_of, round_scaled

from ._inputs import assert_same, bits

ELEMENTS = [rn.E2M1, rn.E2M3, rn.E1M2, rn.E3M2, rn.E4M3, rn.E5M2]


def rounded(y, fmt, saturates):
    grid = grid_of(fmt, Cast())
    space = RoundingSpace(y.size + 3, grid)
    out = np.empty_like(y)
    round_scaled(y.copy(), grid, space, saturates, out)
    return out


def hard_values(fmt, limit):
    """Values, midpoints and quarters of every binade, their neighbours, and any bits."""
    magnitudes = fmt.values[: fmt.max_code + 1]
    between = magnitudes[:-1, None] + np.diff(magnitudes)[:, None] * np.arange(4) / 4
    beyond = fmt.max * np.array([1, 1.01, 1.1, 1.2, 1.3, 1.5, 2, 4])
    centres = np.concatenate([between.reshape(-1), beyond]).astype(np.float32)
    near = centres.view(np.uint32)[:, None] + np.arange(-2, 3)
    rng = np.random.default_rng(0)
    some = rng.integers(np.float32(limit).view(np.uint32), size=100_000)
    values = np.concatenate([near.reshape(-1) & 0x7FFFFFFF, some])
    values = values.astype(np.uint32).view(np.float32)
    values = values[values < limit]
    return np.concatenate([values, -values])


@pytest.mark.parametrize("fmt", ELEMENTS, ids=str)
def test_elements(fmt):
    y = hard_values(fmt, grid_of(fmt, Cast()).limit)
    want = bits(rn.round_to(y, fmt))
    assert_same(bits(rounded(y, fmt, True)), want, f"{fmt}")
    inside = np.abs(y) <= fmt.max
    got = bits(rounded(y[inside], fmt, False))
    assert_same(got, want[inside], f"{fmt} without saturation")


@pytest.mark.parametrize(
    "fmt", [rn.INT8, rn.UE4M3, rn.UE8M0, rn.FP16, rn.BF16], ids=str
)
def test_other_formats(fmt):
    assert grid_of(fmt, Cast()) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"rounding": Rounding.NEAREST_AWAY},
        {"rounding": Rounding.STOCHASTIC_A, "random_bits": 8},
        {"zero_sign": rn.formats.ZeroSign.INPUT_POSITIVE},
        {"via": rn.BF16},
        {"saturation": rn.formats.Saturation.NONE},
    ],
)
def test_other_casts(fields):
    assert grid_of(rn.E2M1, replace(Cast(), **fields)) is None
