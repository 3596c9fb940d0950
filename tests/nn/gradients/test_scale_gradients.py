"""Gradients through block scales: against differences of the whole smooth function."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum.autograd import Operation, check_gradients
from refnum.nn.gradients.block_pass import BlockPass, element_steps
from refnum.nn.gradients.estimators import DGE
from refnum.nn.gradients.relaxations import STE, ClipMask
from refnum.nn.gradients.released_gradients import soft_amax
from refnum.nn.gradients.scale_gradients import ScaleGradient, block_vjp, quantize_vjp
from refnum.nn.gradients.smooth import SigmoidSteps

INF = float("inf")
UNIT = 6.0
ELEMENTS = {"ste": STE, "dge": DGE(k=2, cap=INF), "sigmoid": SigmoidSteps(2.0, 0, INF)}
# The grid of the scales is coarse, so that its relaxation is far from the identity.
SCALES = np.array([0.0, 0.3, 0.8, 1.5, 3.0, 5.0, 9.0, 20.0])


def smooth_pass(
    x, element, relaxation, *, convention, tensor=False, divided_by="step", alpha=None
):
    """The forward pass of blocks with all roundings replaced by their surrogates."""
    amax = np.abs(x).max(axis=1) if alpha is None else soft_amax(x, alpha)
    g = float(np.abs(x).max()) if tensor else 1.0
    if convention == "decode":
        # As NVFP4's: the largest block scale is 8, here, times g / 6.
        raw = amax / UNIT * (UNIT / g) * 8
        scale = relaxation.surrogate(raw, SCALES)
        step = scale / 8 * (g / UNIT)
    else:
        raw = UNIT / amax * g
        scale = relaxation.surrogate(raw, SCALES)
        step = g / scale
    ideal = amax / UNIT
    divisor = step if divided_by == "step" else ideal
    values = element.surrogate(x / divisor[:, None], rn.E2M1) * step[:, None]
    return BlockPass(
        x,
        values,
        step,
        ideal,
        scale,
        amax,
        rn.E2M1,
        SCALES,
        convention,
        g if tensor else None,
        divided_by,
    )


def blocks_of_values(count=6, size=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, size)) * rng.uniform(0.5, 1.5, (count, 1))


def difference(f, x, weights, step=1e-6):
    """The gradient of sum(weights * f(x)), one element after the other."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[index] = step
        up, down = f(x + moved), f(x - moved)
        up2, down2 = f(x + 2 * moved), f(x - 2 * moved)
        slope = (8 * (up - down) - up2 + down2) / (12 * step)
        gradient[index] = (weights * slope).sum()
    return gradient


CASES = [
    (element, relaxation, convention, tensor, divided_by)
    for element in ELEMENTS
    for relaxation in ELEMENTS
    for convention in ("decode", "encode")
    for tensor in (False, True)
    for divided_by in ("step", "ideal")
]


@pytest.mark.parametrize(
    ("element", "relaxation", "convention", "tensor", "divided_by"), CASES
)
def test_full_vjp_is_the_derivative(
    element, relaxation, convention, tensor, divided_by
):
    kinds = {"convention": convention, "tensor": tensor, "divided_by": divided_by}
    records = ELEMENTS[element], ELEMENTS[relaxation]
    x = blocks_of_values()
    g = np.random.default_rng(1).normal(size=x.shape)
    scale = ScaleGradient(
        "absmax", relaxation=records[1], tensor="absmax" if tensor else "ignore"
    )
    found = block_vjp(g, smooth_pass(x, *records, **kinds), records[0], scale)
    expected = difference(lambda t: smooth_pass(t, *records, **kinds).values, x, g)
    # The largest elements are kinks of the clipped end of the element grid, unless
    # their own rounding is the identity.
    kink = (np.abs(x) == np.abs(x).max(axis=1, keepdims=True)) & (element != "ste")
    assert (~kink).sum() > 30
    np.testing.assert_allclose(found[~kink], expected[~kink], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("convention", ["decode", "encode"])
def test_full_vjp_at_the_argmax(convention):
    """The largest element's own term, where the unit lies inside of the grid."""
    records = SigmoidSteps(2.0, 0, INF), SigmoidSteps(2.0, 0, INF)
    x = blocks_of_values(seed=3)
    x[:, 0] = 4.4 * np.sign(x[:, 0])  # 6 / 4.4 is no level of the scales
    grid = np.linspace(-9.5, 9.5, 20)

    def forward(t):
        made = smooth_pass(t, *records, convention=convention)
        values = records[0].surrogate(t / made.step[:, None], grid)
        return replace(made, values=values * made.step[:, None], grid=grid)

    g = np.random.default_rng(1).normal(size=x.shape)
    found = block_vjp(
        g, forward(x), records[0], ScaleGradient("absmax", relaxation=records[1])
    )
    expected = difference(lambda t: forward(t).values, x, g)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("convention", ["decode", "encode"])
def test_soft_vjp_is_the_derivative_of_the_soft_maximum(convention):
    kinds = {"convention": convention, "alpha": 5.0}
    x = blocks_of_values(seed=4)
    g = np.random.default_rng(1).normal(size=x.shape)
    records = STE, SigmoidSteps(2.0, 0, INF)
    found = block_vjp(
        g,
        smooth_pass(x, *records, **kinds),
        STE,
        ScaleGradient("softmax", relaxation=records[1], alpha=5.0),
    )
    expected = difference(lambda t: smooth_pass(t, *records, **kinds).values, x, g)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("convention", ["decode", "encode"])
def test_check_gradients_of_the_whole_function(convention):
    relaxation = SigmoidSteps(2.0, 0, INF)
    kinds = {"convention": convention, "tensor": True}
    scale = ScaleGradient("absmax", relaxation=relaxation, tensor="absmax")
    quantise = Operation(
        "quantise",
        lambda x: smooth_pass(x, STE, relaxation, **kinds).values,
        x=lambda g, x: block_vjp(
            g, smooth_pass(x, STE, relaxation, **kinds), STE, scale
        ),
    )
    check_gradients(quantise, [blocks_of_values(seed=5)], step=1e-5, tolerance=1e-6)


@pytest.mark.parametrize("convention", ["decode", "encode"])
@pytest.mark.parametrize("divided_by", ["step", "ideal"])
def test_values_of_degree_one(convention, divided_by):
    """With all paths, f(c x) = c f(x), so gradients obey Euler's identity."""
    relaxation = DGE(k=3)
    x = blocks_of_values(seed=6)
    forward = smooth_pass(
        x, STE, relaxation, convention=convention, tensor=True, divided_by=divided_by
    )
    for element in ELEMENTS.values():
        g = np.random.default_rng(7).normal(size=x.shape)
        values = np.random.default_rng(8).normal(size=x.shape)  # any rounding at all
        dx = block_vjp(
            g,
            replace(forward, values=values),
            element,
            ScaleGradient("absmax", relaxation=relaxation, tensor="absmax"),
        )
        assert (dx * x).sum() == pytest.approx((g * values).sum())


def test_ties():
    x = np.array([[2.0, -2.0, 1.0, 0.5]])
    g = np.array([[1.0, 2.0, 3.0, 4.0]])
    forward = replace(
        smooth_pass(x, STE, STE, convention="decode"), values=x + 0.25, scale=np.ones(1)
    )
    parts = {
        ties: block_vjp(g, forward, STE, ScaleGradient("absmax", ties=ties)) - g
        for ties in ("all", "first", "split")
    }
    r = forward.elasticity(STE)[0]
    whole = r / 2 * 0.25 * g.sum()
    assert whole > 0
    np.testing.assert_allclose(parts["all"], [[whole, -whole, 0, 0]])
    np.testing.assert_allclose(parts["first"], [[whole, 0, 0, 0]])
    np.testing.assert_allclose(parts["split"], [[whole / 2, -whole / 2, 0, 0]])


def test_diagonal_is_the_full_sum_of_one():
    x, g = blocks_of_values(20, 1), np.ones((20, 1))
    forward = smooth_pass(x, STE, DGE(k=2), convention="encode")
    full, diagonal = (
        block_vjp(g, forward, STE, ScaleGradient("absmax", extent, relaxation=DGE()))
        for extent in ("full", "diagonal")
    )
    np.testing.assert_allclose(full, diagonal, rtol=1e-12)


FORMATS = {
    "mxfp4": rn.MXFP4,
    "nvfp4": rn.NVFP4,
    "encode": rn.blocks.UE5M3FP4_ENCODE,
    "tiles": replace(rn.NVFP4, block=(16, 16)),
    "rows": replace(rn.MXFP4, block="row"),
    "prescale": replace(rn.MXFP4, prescale=0.75),
}


@pytest.mark.parametrize("shape", [(32, 64), (3, 5, 40), (7,)])
@pytest.mark.parametrize("name", FORMATS)
def test_pass_of_a_quantised_array(name, shape):
    fmt = FORMATS[name]
    if name == "tiles" and len(shape) < 2:
        return
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    q = rn.quantize(x, fmt)
    forward = BlockPass.of(x, q)
    assert np.array_equal(forward.shaped(forward.x, q), x)
    assert np.array_equal(forward.shaped(forward.values, q), rn.dequantize(q))
    codes = rn.decode(q.codes, rn.E2M1)
    np.testing.assert_allclose(element_steps(q) * codes, rn.dequantize(q), rtol=3e-7)
    rounded = rn.round_to(forward.scaled, rn.E2M1) * forward.step[:, None]
    assert np.isclose(rounded, forward.values, rtol=1e-5).mean() > 0.999
    # A block scale that nothing rounds is amax / unit: the ratio is that of rounding.
    ratio = forward.step / forward.ideal
    assert (ratio > 0.49).all()
    assert (ratio < 2.01).all()


@pytest.mark.parametrize("name", FORMATS)
def test_vjp_of_a_quantised_array(name):
    fmt = FORMATS[name]
    rng = np.random.default_rng(0)
    x, g = (rng.normal(size=(32, 48)).astype(np.float32) for _ in range(2))
    for axis in (0, 1):
        q = rn.quantize(x, fmt, axis=axis)
        assert np.array_equal(quantize_vjp(g, x, q), g)
        clipped = quantize_vjp(g, x, q, element=ClipMask())
        assert set(np.unique(clipped / g)) <= {0.0, 1.0}
        full = quantize_vjp(g, x, q, scale=ScaleGradient("absmax"))
        assert full.dtype == np.float32
        changed = full != g
        blocks = BlockPass.of(x, q)
        largest = blocks.shaped(np.abs(blocks.x) == blocks.amax[:, None], q)
        assert changed.any()
        assert not (changed & ~largest).any()


def test_first_order_change_of_a_real_format():
    """On a grid so fine that rounding is nearly the identity, so is the gradient."""
    fmt = rn.BlockFormat(rn.FP16, rn.UE8M0, 16, replace(rn.blocks.FLOOR, unit=1.0))
    x = np.random.default_rng(0).normal(size=(4, 32)).astype(np.float32)
    g = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    full = quantize_vjp(g, x, rn.quantize(x, fmt), scale=ScaleGradient("absmax"))
    np.testing.assert_allclose(full, g, atol=0.02)


def test_zero_blocks_and_scales():
    for fmt in (rn.MXFP4, rn.NVFP4, rn.blocks.UE5M3FP4_ENCODE):
        x = np.zeros((2, 32), np.float32)
        # An encode scale beside a tiny tensor scale has no code for blocks of zeros.
        x[1, 0] = 1.0 if fmt.convention == "encode" else 1e-44
        g = np.ones_like(x)
        q = rn.quantize(x, fmt)
        tensor = "absmax" if fmt.tensor_scale else "ignore"
        for block in ("absmax", "softmax"):
            record = ScaleGradient(block, tensor=tensor)
            assert np.isfinite(quantize_vjp(g, x, q, scale=record)).all()
        if fmt.convention == "encode":
            record = ScaleGradient("absmax", "as_released")
            assert np.isfinite(quantize_vjp(g, x, q, scale=record)).all()


def test_refusals():
    x = np.ones((2, 32), np.float32)
    q = rn.quantize(x, rn.MXFP4)
    with pytest.raises(ValueError, match="no tensor scale"):
        quantize_vjp(x, x, q, scale=ScaleGradient(tensor="absmax"))
    held = rn.quantize(x, rn.NVFP4, tensor_amax=2.0)
    with pytest.raises(ValueError, match="no tensor scale"):
        quantize_vjp(x, x, held, scale=ScaleGradient(tensor="absmax"), held=True)
    with pytest.raises(ValueError, match="encode scales"):
        quantize_vjp(x, x, q, scale=ScaleGradient("absmax", "as_released"))
    with pytest.raises(ValueError, match="has shape"):
        quantize_vjp(x[:1], x, q)
    with pytest.raises(ValueError, match="has shape"):
        quantize_vjp(x, x[:1], q)
    with pytest.raises(TypeError, match="float32"):
        quantize_vjp(x.astype(int), x, q)
    with pytest.raises(ValueError, match="no function"):
        BlockPass.of(x, rn.quantize(x, rn.blocks.MXFP4_QUEST))
    for field in ("block", "extent", "ties", "tensor"):
        with pytest.raises(ValueError, match=field):
            ScaleGradient(**{field: "other"})
    with pytest.raises(ValueError, match="alpha"):
        ScaleGradient(alpha=0)
