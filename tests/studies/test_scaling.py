"""Scaling laws: planted ones are found again."""

import math

import numpy as np
import pytest

from refnum.studies.scaling import Law, fit_efficiency, fit_law, resampled

pytest.importorskip("scipy")
TRUE = Law(
    log_a=-0.5, log_b=-0.3, a=0.45, b=0.5, g=1.0, e=1.8, unit_n=3e5, unit_d=1e7, error=0
)
GRID = [(n, d) for n in (3e4, 1e5, 3e5, 1e6) for d in (1e6, 4e6, 1.6e7, 6.4e7)]


def runs(eff_n=1.0, eff_d=1.0, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (n, d, float(TRUE.loss(n, d, eff_n, eff_d)) * math.exp(rng.normal(0, noise)))
        for n, d in GRID
    ]


def test_the_law_is_its_formula():
    big_a = math.exp(TRUE.log_a) * TRUE.unit_n**TRUE.a
    big_b = math.exp(TRUE.log_b) * TRUE.unit_d**TRUE.b
    for n, d in GRID:
        inner = big_a / (n * 0.6) ** TRUE.a + big_b / (d * 0.9) ** TRUE.b
        assert TRUE.loss(n, d, 0.6, 0.9) == pytest.approx(inner**TRUE.g + TRUE.e)


def test_a_planted_law_is_found():
    law = fit_law(runs())
    assert law.error < 1e-4
    far = [(n, d) for n in (6e4, 2e6) for d in (2e6, 1e8)]
    for n, d in far:
        assert law.loss(n, d) == pytest.approx(float(TRUE.loss(n, d)), rel=5e-3)


@pytest.mark.parametrize(("eff_n", "eff_d"), [(0.64, 0.94), (0.4, 0.9), (1.0, 0.5)])
def test_planted_efficiencies_are_found(eff_n, eff_d):
    law = fit_law(runs())
    found = fit_efficiency(law, runs(eff_n, eff_d))
    assert found.eff_n == pytest.approx(eff_n, rel=0.02)
    assert found.eff_d == pytest.approx(eff_d, rel=0.02)
    assert math.isnan(found.low_n)  # nothing was resampled


def test_most_intervals_hold_what_was_planted():
    noise, held = 0.002, 0
    for seed in range(0, 8, 2):
        baseline = runs(noise=noise, seed=seed)
        law = fit_law(baseline)
        laws = resampled(law, baseline, draws=25)
        drawn = runs(0.64, 0.9, noise=noise, seed=seed + 1)
        found = fit_efficiency(law, drawn, laws)
        held += (found.low_n < 0.64 < found.high_n) + (found.low_d < 0.9 < found.high_d)
        assert found.high_n - found.low_n < 0.1
    assert held >= 6  # of eight, at 95 % each


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (runs()[:6], "6 runs"),
        ([(n, d, loss) for n, d, loss in runs() if d < 5e6], "2 budgets"),
        ([(n, d, loss) for n, d, loss in runs() if n < 2e5], "2 sizes"),
        ([*runs(), (1e5, 1e6, math.nan)], "positive and finite"),
        ([*runs(), (1e5, 1e6, -1.0)], "positive and finite"),
        ([], "must be a list"),
    ],
)
def test_bad_runs(points, said):
    with pytest.raises(ValueError, match=said):
        fit_law(points)


def test_two_runs_have_no_efficiency():
    with pytest.raises(ValueError, match="need three"):
        fit_efficiency(TRUE, runs()[:2])


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    with pytest.raises(ValueError, match="pip install scipy"):
        fit_law(runs())
