"""Trajectories by a second arithmetic: products and sums as fractions say."""

import math
from fractions import Fraction

import numpy as np
import pytest

from refnum.autograd import REPRODUCIBLE
from refnum.products import matmul
from refnum.training import Language, MarkovSource, Plan, Regression, Run

STEPS = 4
TASKS = {
    "regression": Regression(inputs=16, outputs=4),
    "language": Language(
        data="markov",
        source=MarkovSource(4),
        width=8,
        heads=2,
        layers=1,
        context=4,
    ),
}
PLAN = Plan(steps=STEPS, batch=4, learning_rate=1e-2, clip=1.0)


def nearest_float32(value):
    """The float32 nearest a fraction, ties to even, by its neighbours."""
    if value == 0:
        return np.float32(0)
    guess = np.float32(float(value))
    near = [np.nextafter(guess, np.float32(s * np.inf)) for s in (-1, 1)]
    candidates = [guess, *(one for one in near if np.isfinite(one))]
    return min(
        candidates,
        key=lambda one: (
            abs(Fraction(float(one)) - value),
            int(one.view(np.uint32)) & 1,
        ),
    )


def slow_matmul(a, b, **options):
    """Each element the float32 nearest the exact sum of exact products."""
    rows, columns = a.shape[-2], b.shape[-1]
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, (*lead, *a.shape[-2:]))
    b = np.broadcast_to(b, (*lead, *b.shape[-2:]))
    out = np.empty((*lead, rows, columns), np.float32)
    for place in np.ndindex(*lead, rows, columns):
        x = a[(*place[:-2], place[-2])].tolist()
        y = b[(*place[:-2], slice(None), place[-1])].tolist()
        products = [p * q for p, q in zip(x, y, strict=True)]  # exact in float64
        total = sum(map(Fraction, products))
        out[place] = nearest_float32(total)
        if total == 0:  # a sum of zeros alone keeps their sign
            negative = all(p == 0 and math.copysign(1, p) < 0 for p in products)
            out[place] = -0.0 if negative else 0.0
    return out


def trajectory(task):
    run = Run(task, PLAN, None, 0, REPRODUCIBLE)
    losses = [run.advance().loss for _ in range(STEPS)]
    return losses, run.digest()


@pytest.mark.parametrize("name", TASKS)
def test_products_by_fractions_give_the_same_run(name, monkeypatch):
    from refnum.autograd import numerics

    fast = trajectory(TASKS[name])
    calls = []

    def slow(a, b, **options):
        calls.append(a.shape)
        return slow_matmul(a, b)

    assert numerics.matmul is matmul
    monkeypatch.setattr(numerics, "matmul", slow)
    assert trajectory(TASKS[name]) == fast
    assert len(calls) > STEPS
