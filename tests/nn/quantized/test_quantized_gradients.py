"""Gradients of quantised products against finite differences of what is differentiated.

Hard rounding has no derivative. What stands in for it here is the surrogate, moved so
that it agrees with the hard rounding at the point where the gradient is taken: of the
elements, and of the block scales.
"""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import recipes
from refnum.blocks import UE5M3FP4_ENCODE
from refnum.nn import QuantizedProducts, relaxation
from refnum.recipes import Operand, ScaleSlope, Slope

M, N, K = 16, 32, 32
SIGMOID = (("lower", 1e-9), ("upper", 1e9))
ELEMENTS = {
    "ste": (),
    "sigmoid": (*SIGMOID, ("temperature", 2.0)),
    "dge": (("cap", 1e9), ("k", 2.0)),
}
FORMATS = {"nvfp4": rn.NVFP4, "mxfp4": rn.MXFP4, "encode": UE5M3FP4_ENCODE}


def surrogate(x, fmt, slope, at):
    """The function of x that is differentiated at `at`, with hard values there."""
    element = relaxation(slope.kind, **dict(slope.options))
    hard = rn.quantize(at.astype(np.float32), fmt)
    codes = rn.decode(hard.codes, fmt.element).astype(float)
    scales = rn.decode(hard.scales, fmt.scale).astype(float)
    size = fmt.block
    unit = fmt.rule.unit_of(fmt.element)

    def above(y):
        if fmt.tensor_scale is None:
            return 1.0
        top = np.abs(y if slope.scale.tensor == "absmax" else at).max()
        return float(hard.tensor_scale) * top / np.abs(at).max()

    def steps(y):
        moving = y if slope.scale.block == "absmax" else at
        amax = np.abs(moving).reshape(len(y), -1, size).max(-1)
        rounding = relaxation(slope.scale.kind, **dict(slope.scale.options))

        def scale(amax, outer):
            ideal = amax / unit / outer
            return 1 / ideal if fmt.convention == "encode" else ideal

        first = np.abs(at).reshape(len(y), -1, size).max(-1)
        raw, before = scale(amax, above(y)), scale(first, above(at))
        moved = rounding.surrogate(raw, fmt.scale) - rounding.surrogate(
            before, fmt.scale
        )
        found = scales + moved
        found = 1 / found if fmt.convention == "encode" else found
        return np.repeat(found * above(y), size, 1)

    moved = element.surrogate(x / steps(x), fmt.element) - element.surrogate(
        at / steps(at), fmt.element
    )
    return (codes + moved) * steps(x)


def products_of(fmt, slope):
    operand = Operand(fmt, slope=slope)
    copied = Operand(None, source="forward")
    base = recipes.get("mxfp4")
    return QuantizedProducts(
        replace(
            base,
            fprop_x=operand,
            fprop_w=operand,
            dgrad_dy=None,
            wgrad_dy=None,
            dgrad_w=copied,
            wgrad_x=copied,
        )
    )


def point(seed, shape):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("kind", ELEMENTS)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "scale",
    [
        ScaleSlope(),
        ScaleSlope("absmax"),
        ScaleSlope("absmax", kind="sigmoid", options=SIGMOID),
        ScaleSlope("absmax", tensor="absmax"),
        ScaleSlope(tensor="absmax"),
    ],
    ids=str,
)
def test_finite_differences(kind, name, scale):
    fmt = FORMATS[name]
    if scale.tensor == "absmax" and fmt.tensor_scale is None:
        return
    slope = Slope(kind, ELEMENTS[kind], scale)
    x, w = point(0, (M, K)), point(1, (N, K))
    dy = point(2, (M, N))
    y, saved = (products := products_of(fmt, slope)).forward(x, w)
    found = products.backward(dy, saved, (True, True))
    np.testing.assert_allclose(
        y,
        rn.dequantize(rn.quantize(x, fmt)) @ rn.dequantize(rn.quantize(w, fmt)).T,
        rtol=1e-4,
        atol=1e-4,
    )
    sides = (
        (x, found[0], dy.astype(float) @ rn.dequantize(rn.quantize(w, fmt))),
        (w, found[1], dy.T.astype(float) @ rn.dequantize(rn.quantize(x, fmt))),
    )
    rng = np.random.default_rng(3)
    for array, gradient, incoming in sides:
        at, wrong, tried = array.astype(float), 0, 0
        places = [np.unravel_index(np.abs(at).argmax(), at.shape)]
        places += [(int(i), int(j)) for i, j in rng.integers(0, len(at), (60, 2))]
        for place in places:
            ends, step = [], 1e-6 * max(abs(at[place]), 1e-2)
            for h in (step, -step):
                moved = at.copy()
                moved[place] += h
                values = surrogate(moved, fmt, slope, at)
                ends.append(float((incoming * values).sum()))
            expected = (ends[0] - ends[1]) / (2 * step)
            tried += 1
            scale_of = 1e-3 * (abs(expected) + np.abs(incoming).max())
            wrong += abs(expected - gradient[place]) > scale_of
        assert tried == 61
        assert wrong <= 1  # a kink within the step


def test_fields_reach_the_gradient():
    """Each choice gives another gradient, and none is silently ignored."""
    x, w = point(0, (M, K)), point(1, (N, K))
    x[:, 3] = x[:, 1] = 4.0  # ties
    dy = point(2, (M, N))
    found = []
    for scale in (
        ScaleSlope(),
        ScaleSlope("absmax"),
        ScaleSlope("absmax", ties="first"),
        ScaleSlope("absmax", ties="split"),
        ScaleSlope("absmax", "diagonal"),
        ScaleSlope("absmax", "as_released"),
        ScaleSlope("softmax", alpha=2.0),
        ScaleSlope("softmax", "as_released", alpha=2.0),
        ScaleSlope("absmax", tensor="absmax"),
        ScaleSlope("absmax", kind="spline"),
        ScaleSlope("absmax", "as_released", tensor="absmax"),
    ):
        products = products_of(UE5M3FP4_ENCODE, Slope(scale=scale))
        _, saved = products.forward(x, w)
        found.append(products.backward(dy, saved, (True, False))[0])
        assert np.isfinite(found[-1]).all()
    for i, one in enumerate(found):
        assert not any(np.array_equal(one, other) for other in found[:i])


@pytest.mark.parametrize(
    ("fmt", "scale", "message"),
    [
        ("bf16", ScaleSlope("absmax"), "no scale"),
        ("nvfp4_if4", ScaleSlope("absmax"), "no scale"),
        ("mxfp4_quest", ScaleSlope("absmax"), "no scale"),
        ("nvfp4", ScaleSlope("absmax", "as_released"), "encode scales"),
        ("mxfp4", ScaleSlope(tensor="absmax"), "no tensor scale"),
    ],
)
def test_impossible(fmt, scale, message):
    with pytest.raises(ValueError, match=message):
        products_of(fmt, Slope(scale=scale))


def test_released_levels():
    with pytest.raises(ValueError, match="released levels"):
        products_of(
            "ue5m3fp4_encode", Slope(scale=ScaleSlope("absmax", levels="released"))
        )
    products_of("mxfp4", Slope(scale=ScaleSlope("absmax", levels="released")))
    with pytest.raises(ValueError, match="no options"):
        products_of(
            "mxfp4", Slope(scale=ScaleSlope("absmax", kind="dge", options=(("a", 1),)))
        )
