"""Gaps, fronts, pairs: each against its definition."""

import math
from dataclasses import replace

import numpy as np
import pytest

from refnum.recipes import ModelShape, cost_of, get
from refnum.studies import Claim, Costs, Design, recipe_of
from refnum.studies.claims import claim_of, pairs_of
from refnum.studies.table import entries_of, front_of, summaries_of
from refnum.studies.verdicts import judge

from ._studies import NVFP4_LIKE, SETTING, line_of


def test_gaps_are_to_the_baseline_of_the_same_setting_and_seed():
    other = replace(SETTING, plan=replace(SETTING.plan, steps=24), label="longer")
    lines = [
        line_of(None, 0, 2.0),
        line_of(None, 1, 4.0),
        line_of(None, 0, 1.0, setting=other),
        line_of(Design(), 0, 2.5),
        line_of(Design(), 1, 4.5),
        line_of(Design(), 0, 2.5, setting=other),
        line_of(Design(block=8), 0, None),
        line_of(Design(), 7, 2.5),  # no baseline
        {**line_of(Design(block=16), 0, 9.0), "outcome": "failed"},
    ]
    entries = entries_of(lines)
    found = {(e.label, e.design, e.seed): e.relative for e in entries if e.design}
    assert found == {
        ("regression", Design(), 0): 0.25,
        ("regression", Design(), 1): 0.125,
        ("longer", Design(), 0): 1.5,
        ("regression", Design(block=8), 0): math.inf,
    }
    one = next(s for s in summaries_of(entries, Costs()) if len(s.entries) == 2)
    assert (one.gap, one.relative, one.diverged) == (0.5, 0.1875, 0)
    assert one.spread == 0.0
    lost = next(s for s in summaries_of(entries, Costs()) if s.diverged)
    assert lost.gap == math.inf
    assert math.isnan(lost.spread)


def test_a_front_holds_what_no_point_beats():
    rng = np.random.default_rng(0)
    for _ in range(50):
        points = [
            tuple(p) for p in rng.integers(0, 8, size=(20, 2)).astype(float).tolist()
        ]
        points.append((0.0, math.inf))
        beaten = [
            any(
                a <= x and b <= y and (a, b) != (x, y)
                for a, b in points
                if math.isfinite(b)
            )
            or not math.isfinite(y)
            for x, y in points
        ]
        front = front_of(points)
        assert {points[k] for k in front} == {
            p for p, lost in zip(points, beaten, strict=True) if not lost
        }
        assert [points[k][0] for k in front] == sorted(points[k][0] for k in front)


def test_costs_are_those_of_recipes():
    costs = Costs.of({"model": "llama-60m", "fp4": 2, "elementwise": 0.1})
    shape = ModelShape.llama(512, 1376, layers=8, context=512)
    for design in (Design(), NVFP4_LIKE, Design(recipe="quartet")):
        whole = cost_of(recipe_of(design), shape, costs.speeds).relative
        assert costs.time(design) == pytest.approx(whole, rel=1e-12)
    assert costs.time(None) == 1
    switched = replace(NVFP4_LIKE, switch=0.25)
    mixed = 0.75 * costs.time(NVFP4_LIKE) + 0.25
    assert costs.time(switched) == pytest.approx(mixed, rel=1e-12)
    fprop = costs.time(replace(switched, switch_gemms="fprop"))
    backward = costs.time(replace(NVFP4_LIKE, gemms="backward"))
    mixed = 0.75 * costs.time(NVFP4_LIKE) + 0.25 * backward
    assert fprop == pytest.approx(mixed, rel=1e-12)
    assert get("nvfp4") is recipe_of(Design(recipe="nvfp4"))


@pytest.mark.parametrize(
    ("table", "said"),
    [({"model": "gpt-9"}, "llama-7b"), ({"fp5": 2}, "fp4"), ({"fp4": "2"}, "numbers")],
)
def test_bad_costs(table, said):
    with pytest.raises(ValueError, match=said):
        Costs.of(table)


def test_pairs_differ_in_the_claimed_fields_alone():
    claim = Claim(
        "", "", (("rotation", "wgrad"),), (("rotation", "none"),), (("block", 32),)
    )
    designs = {
        Design(),
        Design(rotation="wgrad"),
        Design(stochastic="dy"),  # without its neighbour
        Design(block=16),
        Design(block=16, rotation="wgrad"),  # not where the claim is
        Design(recipe="nvfp4"),
    }
    assert pairs_of(claim, designs) == [(Design(rotation="wgrad"), Design())]


def test_published_recipes_are_paired_by_switches_alone():
    claim = Claim("", "", (("switch", 0.2),), (("switch", 0.0),))
    designs = {Design(recipe="nvfp4"), Design(recipe="nvfp4", switch=0.2)}
    assert len(pairs_of(claim, designs)) == 1


def lines_of(better, worse, seeds=3):
    """Lines of two designs whose gaps are given, over blocks and seeds."""
    rng = np.random.default_rng(0)
    lines = [line_of(None, seed, 1.0) for seed in range(seeds)]
    for block in (8, 16, 32, 64):
        for seed in range(seeds):
            noise = rng.normal(0, 0.002, 2)
            one = better if better is None else 1 + better + noise[0]
            other = worse if worse is None else 1 + worse + noise[1]
            lines.append(line_of(Design(block=block, stochastic="dy"), seed, one))
            lines.append(line_of(Design(block=block), seed, other))
    return entries_of(lines)


@pytest.mark.parametrize(
    ("better", "worse", "closes", "word"),
    [
        (0.02, 0.05, 0.0, "holds"),
        (0.05, 0.02, 0.0, "opposite"),
        (0.03, 0.03, 0.0, "not resolved"),
        (0.02, None, 0.0, "holds"),
        (0.02, 0.05, 0.5, "holds"),
        (0.04, 0.05, 0.5, "in part"),
    ],
)
def test_verdicts(better, worse, closes, word):
    claim = claim_of(
        {
            "text": "SR helps",
            "better": {"stochastic": "dy"},
            "worse": {"stochastic": "none"},
            "closes": closes,
        }
    )
    (verdict,) = judge(claim, lines_of(better, worse))
    assert (verdict.word, verdict.pairs, verdict.runs) == (word, 4, 12)
    if worse is None:
        assert verdict.diverged == (0, 12)
        assert verdict.mean == pytest.approx(100 - 100 * better, abs=0.5)
    else:
        assert verdict.mean == pytest.approx(100 * (worse - better), abs=0.3)
        assert verdict.low < verdict.mean < verdict.high
        assert verdict.closed == pytest.approx(1 - better / worse, abs=0.1)


def test_a_claim_without_pairs():
    claim = Claim("", "", (("tiles", True),), (("tiles", False),))
    (verdict,) = judge(claim, lines_of(0.1, 0.2))
    assert verdict.word == "no pairs"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"text": "x", "better": {"a": 1}, "worse": {"block": 8}}, "'a'"),
        ({"text": "x", "better": {"block": 8}}, "needs worse"),
        ({"text": "x", "better": {}, "worse": {}}, "needs better"),
        ({"claim": "x"}, "'claim'"),
        (
            {"text": "x", "better": {"block": 8}, "worse": {"block": 9}, "closes": 2},
            "closes is 2",
        ),
    ],
)
def test_bad_claims(table, said):
    with pytest.raises(ValueError, match=said):
        claim_of(table)
