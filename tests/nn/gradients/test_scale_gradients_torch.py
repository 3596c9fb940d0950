"""Gradients through scales against PyTorch, which knows the formulas of the forward pass.

The program in PyTorch rounds to the same formats, straight-through, and its own gradient
of `amax` shares ties evenly.
"""

import numpy as np
import pytest

import refnum as rn
from refnum.nn.gradients.block_pass import BlockPass
from refnum.nn.gradients.relaxations import STE, ClipMask
from refnum.nn.gradients.scale_gradients import ScaleGradient, block_vjp, quantize_vjp

torch = pytest.importorskip("torch")


# Not 448 and 6: the largest element would lie at the kink of the clipped range.
LIMIT, UNIT = 430.0, 6.4


def straight_through(x, fmt, clipped=False):
    """Values rounded to a format, with the gradient 1, or 0 beyond its range."""
    rounded = torch.from_numpy(rn.round_to(x.detach().numpy(), fmt)).to(x.dtype)
    passed = torch.clamp(x, -fmt.max, fmt.max) if clipped else x
    return passed + (rounded - passed).detach()


def quantised(x, convention, *, tensor, clipped, ideal):
    """The blocks of x as they come out, and the numbers on the way."""
    amax = x.abs().amax(dim=1, keepdim=True)
    g = x.abs().amax() if tensor else torch.ones((), dtype=x.dtype)
    if convention == "decode":
        reference = LIMIT * UNIT / g if tensor else 1 / g
        scale = straight_through(amax / UNIT * reference, rn.UE4M3)
        step = scale / reference
    else:
        scale = straight_through(UNIT / amax * g, rn.UE4M3)
        step = g / scale
    y = x / (amax / UNIT if ideal else step)
    return straight_through(y, rn.E2M1, clipped) * step, step, scale, amax


def numpy_of(t):
    return t.detach().numpy().copy()


@pytest.mark.parametrize("ideal", [False, True])
@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("convention", ["decode", "encode"])
def test_full_vjp(convention, tensor, clipped, ideal):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 16))
    values[3, :4] = [5.0, -5.0, 5.0, 1.0]  # ties, also for the tensor
    values[4] *= 0.6
    x = torch.tensor(values, requires_grad=True)
    kinds = {"tensor": tensor, "clipped": clipped, "ideal": ideal}
    out, step, scale, amax = quantised(x, convention, **kinds)
    g = rng.normal(size=values.shape)
    out.backward(torch.from_numpy(g))
    forward = BlockPass(
        values,
        numpy_of(out),
        numpy_of(step)[:, 0],
        numpy_of(amax)[:, 0] / UNIT,
        numpy_of(scale)[:, 0],
        numpy_of(amax)[:, 0],
        rn.E2M1,
        rn.UE4M3,
        convention,
        float(np.abs(values).max()) if tensor else None,
        "ideal" if ideal else "step",
    )
    record = ScaleGradient(
        "absmax", ties="split", tensor="absmax" if tensor else "ignore"
    )
    found = block_vjp(g, forward, ClipMask() if clipped else STE, record)
    assert not np.isclose(np.abs(forward.scaled), 6).any()
    assert (np.abs(forward.scaled) > 6).any()
    np.testing.assert_allclose(found, x.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_mxfp4_as_it_is(axis):
    rng = np.random.default_rng(1)
    values, g = (rng.normal(size=(64, 96)).astype(np.float32) for _ in range(2))
    q = rn.quantize(values, rn.MXFP4, axis=axis)
    found = quantize_vjp(g, values, q, scale=ScaleGradient("absmax", ties="split"))
    x = torch.tensor(values.astype(np.float64), requires_grad=True)
    rows = torch.movedim(x, axis, -1).reshape(-1, 32)
    ideal = rows.abs().amax(dim=1, keepdim=True) / 4
    power = 2.0 ** torch.floor(torch.log2(ideal)).detach()
    step = ideal + (power - ideal).detach()
    out = straight_through(rows / step, rn.E2M1) * step
    out.backward(
        torch.from_numpy(np.moveaxis(g, axis, -1).reshape(-1, 32).astype(float))
    )
    np.testing.assert_allclose(found, x.grad.numpy(), rtol=2e-5, atol=2e-6)
