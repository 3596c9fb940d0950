"""Scale gradients as the paper's diagonal has them, and as its code does."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum.nn.gradients.block_pass import BlockPass
from refnum.nn.gradients.estimators import DGE
from refnum.nn.gradients.grids import levels_of
from refnum.nn.gradients.relaxations import STE
from refnum.nn.gradients.released_gradients import RELEASED_SCALE_LEVELS
from refnum.nn.gradients.scale_gradients import ScaleGradient, block_vjp
from refnum.nn.gradients.smooth import SigmoidSteps


def released_case(seed=0, count=5, size=16):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, size))
    amax = np.abs(x).max(axis=1)
    raw = 6 / amax
    scale = rn.round_to(raw, rn.UE4M3).astype(np.float64)
    payload = rn.round_to(x * scale[:, None], rn.E2M1).astype(np.float64)
    values = payload / scale[:, None]
    forward = BlockPass(
        x, values, 1 / scale, amax / 6, scale, amax, rn.E2M1, rn.UE4M3, "encode"
    )
    return forward, raw[:, None], scale[:, None], payload, rng.normal(size=x.shape)


def test_diagonal_is_proposition_one():
    """The paper's diagonal, term by term, for one element after the other."""
    forward, raw, scale, payload, g = released_case()
    element, relaxation = SigmoidSteps(), DGE()
    found = block_vjp(
        g, forward, element, ScaleGradient("absmax", "diagonal", relaxation=relaxation)
    )
    q_slope = relaxation.slope(raw[:, 0], rn.UE4M3)
    for (i, j), x in np.ndenumerate(forward.x):
        s, s_q, z = raw[i, 0], scale[i, 0], forward.amax[i]
        slope = element.slope(np.array([s_q * x]), rn.E2M1)[0]
        ds = -s / z * np.sign(x) if abs(x) == z else 0
        jacobian = slope + q_slope[i] / s_q * ds * (x * slope - payload[i, j] / s_q)
        assert found[i, j] == pytest.approx(g[i, j] * jacobian, rel=1e-10)


def test_absmax_as_released():
    forward, raw, scale, payload, g = released_case()
    found = block_vjp(g, forward, STE, ScaleGradient("absmax", "as_released"))
    a, largest = forward.amax[:, None], np.abs(forward.x) == forward.amax[:, None]
    term = (raw / a) * np.sign(payload) * payload / scale - raw * g
    expected = g + largest * (1 / scale) * term
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # With an incoming gradient of ones, the missing factor does not show.
    ones = np.ones_like(g)
    released, diagonal = (
        block_vjp(ones, forward, STE, ScaleGradient("absmax", extent))
        for extent in ("as_released", "diagonal")
    )
    np.testing.assert_allclose(released, diagonal, rtol=1e-10)
    assert not np.allclose(
        found, block_vjp(g, forward, STE, ScaleGradient("absmax", "diagonal"))
    )


def test_absmax_of_unrounded_scales_as_released():
    forward, raw, scale, payload, g = released_case()
    forward = replace(forward, divided_by="ideal")
    found = block_vjp(g, forward, STE, ScaleGradient("absmax", "as_released"))
    a, largest = forward.amax[:, None], np.abs(forward.x) == forward.amax[:, None]
    at = payload * (raw / a) * np.sign(payload) / scale**2
    np.testing.assert_allclose(
        found, np.where(largest, at, g * raw / scale), rtol=1e-12
    )


@pytest.mark.parametrize("divided_by", ["step", "ideal"])
def test_softmax_as_released(divided_by):
    forward, raw, scale, payload, g = released_case()
    forward = replace(forward, divided_by=divided_by)
    record = ScaleGradient("softmax", "as_released", alpha=3.0, relaxation=DGE())
    found = block_vjp(g, forward, STE, record)
    powers = np.exp(3 * np.abs(forward.x))
    weights = powers / powers.sum(axis=1, keepdims=True)
    n = -(scale / forward.amax[:, None]) * weights * np.sign(forward.x)
    q_slope = DGE().slope(raw, rn.UE4M3)
    if divided_by == "step":
        expected = g + n * (forward.x * g - payload / scale) * q_slope / scale
    else:
        inner = forward.x * g / scale - payload * q_slope / scale**2
        expected = g * raw / scale + n * inner
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("block", ["ste", "absmax", "softmax"])
def test_tensor_scale_as_released(block):
    forward, *_, g = released_case()
    top = float(forward.amax.max())
    forward = replace(forward, tensor_amax=top)
    with_it, without = (
        block_vjp(g, forward, STE, ScaleGradient(block, "as_released", tensor=tensor))
        for tensor in ("absmax", "ignore")
    )
    term = forward.values - forward.x / top * without
    mask = np.abs(forward.x) == top if block != "softmax" else np.True_
    np.testing.assert_allclose(with_it, without + mask * term, rtol=1e-12)


def test_scale_levels_as_released_are_the_lowest():
    for name, fmt in (("ue8m0", rn.UE8M0), ("e4m3", rn.UE4M3)):
        levels = RELEASED_SCALE_LEVELS[name]
        assert len(levels) == 20
        assert set(levels) <= set(levels_of(fmt))
    assert max(RELEASED_SCALE_LEVELS["ue8m0"]) == 2.0**-107
    assert max(RELEASED_SCALE_LEVELS["e4m3"]) == 11 * 2.0**-8
