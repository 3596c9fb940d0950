"""Effects: planted ones are found, and what cannot be told is not told."""

import itertools
import math

import numpy as np
import pytest

from refnum.studies import Costs, Design
from refnum.studies.effects import effects_of, scores_of
from refnum.studies.table import entries_of, summaries_of

from ._studies import line_of


def planted(noise=0.1, seeds=2, drop=lambda design: False):
    """Lines whose gaps, in per cent, are sums of known effects."""
    rng = np.random.default_rng(1)
    lines = [line_of(None, seed, 2.0 + seed) for seed in range(seeds)]
    for scale, stochastic, rotation, tensor in itertools.product(
        ("ue8m0", "ue5m3"), ("none", "dy"), ("none", "wgrad"), (False, True)
    ):
        design = Design(
            scale=scale, stochastic=stochastic, rotation=rotation, tensor_scale=tensor
        )
        if drop(design):
            continue
        gap = (
            10
            - 3 * (scale == "ue5m3")
            - 2 * (stochastic == "dy")
            + (rotation != "none")
        )
        for seed in range(seeds):
            own = (gap + rng.normal(0, noise)) / 100
            lines.append(line_of(design, seed, (2.0 + seed) * (1 + own)))
    return entries_of(lines)


def test_planted_effects_are_found():
    found = {(e.factor, e.level): e for e in effects_of(planted())}
    for key, effect in {
        ("format", "e2m1 ue5m3/32"): -3,
        ("stochastic rounding", "dy"): -2,
        ("rotation", "wgrad"): 1,
        ("tensor scale", "yes"): 0,
    }.items():
        assert found[key].mean == pytest.approx(effect, abs=0.15)
        assert found[key].low <= found[key].mean <= found[key].high
        assert found[key].high - found[key].low < 0.4
    assert len(found) == 4
    assert found["rotation", "wgrad"].reference == "none"
    assert found["rotation", "wgrad"].designs == 8


def test_the_bootstrap_is_that_of_its_definition():
    """Draw designs with replacement, and solve least squares anew for each draw."""
    entries = planted(noise=1.0)
    found = {(e.factor, e.level): e for e in effects_of(entries)}
    runs = [e for e in entries if e.design]
    designs = list(dict.fromkeys(e.design for e in runs))
    x = np.array(
        [
            [
                1,
                e.design.scale == "ue5m3",
                e.design.tensor_scale,
                e.design.stochastic == "dy",
                e.design.rotation == "wgrad",
            ]
            for e in runs
        ],
        float,
    )
    y = np.array([100 * e.relative for e in runs])
    rng = np.random.default_rng(5)
    draws = []
    for _ in range(800):
        chosen = rng.integers(0, len(designs), len(designs))
        rows = [k for c in chosen for k, e in enumerate(runs) if e.design == designs[c]]
        draws.append(np.linalg.lstsq(x[rows], y[rows], rcond=None)[0])
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    for k, key in enumerate(
        [("format", "e2m1 ue5m3/32"), ("tensor scale", "yes")], start=1
    ):
        assert found[key].mean == pytest.approx(np.linalg.lstsq(x, y, rcond=None)[0][k])
        assert found[key].low == pytest.approx(low[k], abs=0.25)
        assert found[key].high == pytest.approx(high[k], abs=0.25)


def test_what_cannot_be_told_apart_has_no_number():
    entries = planted(drop=lambda d: (d.stochastic == "dy") != (d.rotation == "wgrad"))
    found = {e.factor: e for e in effects_of(entries)}
    assert math.isnan(found["rotation"].mean)
    assert found["stochastic rounding"].mean == pytest.approx(-1, abs=0.2)


def test_few_designs_have_no_effects():
    assert effects_of([]) == []
    assert (
        effects_of(planted(drop=lambda d: d.scale == "ue8m0" or d.tensor_scale)) == []
    )


def test_scores_are_gains_for_each_technique():
    entries = planted(noise=0.0)
    scores = scores_of(summaries_of(entries, Costs()))
    values = {
        design: np.mean([e.value for e in entries if e.design == design])
        for design in {e.design for e in entries if e.design}
    }
    median = np.median(list(values.values()))
    for score, points, one in scores:
        assert points == len(one.design.techniques()) > 0
        expected = (median - values[one.design]) / median / points
        assert score == pytest.approx(expected, abs=1e-12)
    assert [s for s, _, _ in scores] == sorted((s for s, _, _ in scores), reverse=True)
    assert scores[0][2].design == Design(scale="ue5m3", stochastic="dy")
