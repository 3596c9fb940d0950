"""Batches of hard blocks: few in ordinary runs, a million in exhaustive ones."""

import numpy as np
import pytest

from ._inputs import ALL, blocks

ORDINARY, BATCH = 10_000, 50_000

scales = pytest.mark.parametrize(
    "count",
    [ORDINARY, pytest.param(1_000_000, marks=pytest.mark.thorough)],
    ids=["ten_thousand", "million"],
)


def batches(count, size, kinds=ALL):
    """Yield arrays of (blocks, size) that hold at least `count` blocks in all."""
    seed = 0
    while count > 0:
        here = min(count, BATCH)
        yield blocks(kinds, -(-here // len(kinds)), size, seed)
        count -= here
        seed += 1


def amax_of(x):
    """Return each row's largest magnitude, NaN where there is one."""
    with np.errstate(invalid="ignore"):
        return np.abs(x).max(axis=1)
