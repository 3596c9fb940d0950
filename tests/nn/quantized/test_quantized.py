"""`QuantizedProducts`: against plain loops, replay, sources, corrections, shapes."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import recipes
from refnum.autograd import FAST, Tensor, use
from refnum.golden.exact_linear import exact_linear
from refnum.golden.exact_operand import Place
from refnum.nn import FULL_PRECISION, QuantizedProducts, linear
from refnum.nn.gradients.relaxations import ClipMask
from refnum.nn.gradients.scale_gradients import ScaleGradient, quantize_vjp
from refnum.nn.quantized.rounding_words import Site, bits_of, signs_of
from refnum.recipes import Gemm, Operand, Recipe, Rotation, ScaleSlope, Slope

from ._layers import ROLES, Notes, arrays, equal, recipe_of, run

ORDINARY = (
    "mxfp4",
    "nvfp4",
    "elucidating-best-ue5m3",
    "quartet",
    "wang-dge-occ",
    "mor",
)
KERNELS = ("fp8-hopper", "nvfp4-blackwell")
SLOW = pytest.mark.thorough


def some(name):
    return name if name in ORDINARY else pytest.param(name, marks=SLOW)


def lengths(recipe):
    rotations = [o.rotation for o in recipe.operands.values() if o is not None]
    return max([32, *(r.size for r in rotations if r is not None)])


@pytest.mark.parametrize(
    "name", [some(name) for name in recipes.names() if name not in KERNELS]
)
def test_second_derivation(name):
    recipe = recipes.get(name)
    size = lengths(recipe)
    x, w, dy = data = arrays(size, size, 32, seed=len(name))
    found = run(recipe, data, seed=7, step=2**33 + 5, layer="blocks.0.up")
    place = Place(7, 2**33 + 5, "blocks.0.up")
    slow = exact_linear(x.tolist(), w.tolist(), dy.tolist(), recipe, place).results
    expected = [np.float32(slow[gemm]) for gemm in ("fprop", "dgrad", "wgrad")]
    assert equal(found, expected) == [True] * 3


def mixes(rotation):
    """Signs that flip results alone go through rounding to nearest and cancel."""
    return rotation.is_random and rotation.order == "signs_first"


@pytest.mark.parametrize("name", recipes.names())
def test_replayed_with_the_same_bits(name):
    size = lengths(recipes.get(name))
    data = arrays(max(size, 64), max(size, 64), 64)
    first = run(name, data)
    assert all(np.isfinite(part).all() for part in first)
    assert equal(first, run(name, data)) == [True] * 3
    drawn = any(
        o is not None and (o.is_stochastic or (o.rotation and mixes(o.rotation)))
        for o in recipes.get(name).operands.values()
    )
    others = [run(name, data, seed=2), run(name, data, layer="other")]
    changed = [not all(equal(first, other)) for other in others]
    assert changed == [drawn, drawn]


@pytest.mark.parametrize("name", recipes.names())
def test_codes_kept_or_not_the_values_are_the_same(name):
    size = max(64, lengths(recipes.get(name)))
    data, notes = arrays(size, size, 64), Notes()
    assert equal(run(name, data, notes=notes), run(name, data)) == [True] * 3
    for role, taken in notes.operands.items():
        if (
            taken.quantized is not None
            and recipes.get(name).operands[role].fallback is None
        ):
            assert np.array_equal(rn.dequantize(taken.quantized), taken.values)


def test_layout_of_arrays_does_not_matter():
    data = arrays()
    turned = [np.asfortranarray(array) for array in data]
    strided = [np.repeat(array, 2, axis=1)[:, ::2] for array in data]
    for name in ("nvfp4", "tetrajet", "quartet-ii-32"):
        first = run(name, data)
        assert equal(first, run(name, turned)) == [True] * 3
        assert equal(first, run(name, strided)) == [True] * 3


def test_calls_of_a_step_draw_their_own_bits():
    x, w, dy = arrays()
    products = QuantizedProducts(recipes.get("tetrajet"), 1, "fc")

    def results(step, calls):
        products.begin(step)
        found = []
        for _ in range(calls):
            _, saved = products.forward(x, w)
            found.append(products.backward(dy, saved, (True, True))[0])
        return found

    first, second = results(1, 2)
    assert not np.array_equal(first, second)
    assert np.array_equal(results(1, 1)[0], first)
    assert not np.array_equal(results(2, 1)[0], first)


def test_weights_changed_within_a_step_are_seen():
    x, w, _ = arrays()
    w = w.copy()
    products = QuantizedProducts(recipes.get("mxfp4"))
    before, _ = products.forward(x, w)
    w *= 2
    after, _ = products.forward(x, w)
    assert np.array_equal(after, 2 * before)


def test_sources():
    nearest, data = Operand("mxfp4"), arrays()
    _x, w, dy = data
    base = recipe_of(nearest)
    again = replace(base, dgrad_w=replace(nearest, source="forward"))
    twice = rn.dequantize(rn.quantize(w, rn.MXFP4))
    expected = rn.dequantize(rn.quantize(twice, rn.MXFP4, axis=0))
    notes = Notes()
    run(again, data, notes=notes)
    assert np.array_equal(notes.operands["dgrad_w"].values, expected)
    kept = replace(base, dgrad_w=Operand(None, source="forward"))
    dx = rn.matmul(rn.dequantize(rn.quantize(dy, rn.MXFP4)), twice)
    assert np.array_equal(run(kept, data)[1], dx)
    tiles = replace(
        base, fprop_w=Operand("nvfp4_16x16"), dgrad_w=Operand(None, source="codes")
    )
    same = replace(tiles, dgrad_w=tiles.fprop_w)
    assert equal(run(tiles, data), run(same, data)) == [True] * 3


def test_prescale_and_correction_cancel():
    data = arrays()
    halved = Operand("mxfp4", prescale=0.5)
    product = Gemm(correction=4.0)
    recipe = Recipe(*(halved,) * 6, fprop=product, dgrad=product, wgrad=product)
    x, w, _ = data
    half = replace(rn.MXFP4, prescale=0.5)  # takes it back in its own scale
    a, b = (rn.dequantize(rn.quantize(v, half)) for v in (x, w))
    assert np.array_equal(run(recipe, data)[0], rn.matmul(a, b.T))


def test_clip_mask():
    data = arrays()
    x, _w, _dy = data
    clipped = Operand("mxfp4", slope=Slope("clip"))
    straight = recipe_of(Operand("mxfp4"))
    recipe = replace(straight, fprop_x=clipped, fprop_w=clipped)
    q = rn.quantize(x, rn.MXFP4)
    scale = np.repeat(rn.decode(q.scales, rn.UE8M0), 32, axis=1)
    inside = np.abs(x) <= 6 * scale
    assert not inside.all()
    _, dx, _ = run(straight, data)
    assert np.array_equal(run(recipe, data)[1], dx * inside)


def test_gradient_of_rotated_masks_comes_back():
    """Without rounding, H^-1 (mask * (dY W H)) is dY W where nothing is clipped."""
    data = arrays()
    x, w, dy = data
    operand = Operand(rn.FP32, rotation=Rotation(16, "fixed"))
    kept = Operand(None, source="forward")
    recipe = Recipe(operand, operand, None, kept, None, kept)
    y, dx, dw = run(recipe, data)
    for found, expected in ((y, x @ w.T), (dx, dy @ w), (dw, dy.T @ x)):
        assert np.allclose(
            found, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max()
        )


@pytest.mark.parametrize("accumulator", list(rn.products.Accumulator))
def test_accumulators(accumulator):
    data = arrays()
    product = Gemm(accumulator)
    recipe = replace(recipes.get("mxfp4"), fprop=product, dgrad=product, wgrad=product)
    notes = Notes()
    y, dx, dw = run(recipe, data, notes=notes)
    v = {role: notes.operands[role].values for role in ROLES}

    def multiply(a, b):
        return rn.matmul(a, b, accumulator=accumulator)

    assert np.array_equal(y, multiply(v["fprop_x"], v["fprop_w"].T))
    assert np.array_equal(dx, multiply(v["dgrad_dy"], v["dgrad_w"]))
    assert np.array_equal(dw, multiply(v["wgrad_dy"].T, v["wgrad_x"]))


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_take_the_codes(name):
    data, notes = arrays(64, 64, 64), Notes()
    found = run(name, data, notes=notes)
    exact = run(
        replace(recipes.get(name), fprop=Gemm(), dgrad=Gemm(), wgrad=Gemm()), data
    )
    for one, other in zip(found, exact, strict=True):
        assert not np.array_equal(one, other)
        assert np.allclose(one, other, rtol=1e-2, atol=2e-3 * np.abs(other).max())
    recipe = recipes.get(name)
    a = notes.operands["fprop_x"].quantized
    b = notes.operands["fprop_w"].quantized
    turned = rn.Quantized(b.codes.T, b.scales.T, b.tensor_scale, b.format, 0)
    assert np.array_equal(found[0], rn.gemm(a, turned, recipe.fprop.kernel.op))


def test_plain_recipe_is_full_precision():
    data = arrays()
    x, w, dy = data
    with use(FAST):
        y, saved = FULL_PRECISION.forward(x, w)
        expected = y, *FULL_PRECISION.backward(dy, saved, (True, True))
        products = QuantizedProducts(Recipe(*(None,) * 6))
        y, saved = products.forward(x, w)
        assert equal((y, *products.backward(dy, saved, (True, True))), expected)


def test_needs():
    x, w, dy = arrays()
    products = QuantizedProducts(recipes.get("nvfp4"))
    _, saved = products.forward(x, w)
    both = products.backward(dy, saved, (True, True))
    dx, nothing = products.backward(dy, saved, (True, False))
    assert nothing is None
    assert np.array_equal(dx, both[0])
    nothing, dw = products.backward(dy, saved, (False, True))
    assert nothing is None
    assert np.array_equal(dw, both[1])


def test_float64_comes_back_as_float64():
    x, w, dy = (array.astype(np.float64) for array in arrays())
    for name in ("mxfp4", "wang-dge-occ"):
        y, dx, dw = run(name, (x, w, dy))
        assert {part.dtype for part in (y, dx, dw)} == {np.dtype(np.float64)}


def test_in_a_layer():
    x, w, dy = arrays()
    products = QuantizedProducts(recipes.get("mxfp4"))
    tensors = [Tensor(v, requires_grad=True) for v in (x, w, np.ones(32, np.float32))]
    y = linear(*tensors, products=products)
    y.backward(dy)
    expected = run("mxfp4", (x, w, dy))
    assert np.array_equal(y.data, expected[0] + 1)
    assert equal([t.grad for t in tensors[:2]], expected[1:]) == [True] * 2
    assert np.allclose(tensors[2].grad, dy.sum(axis=0), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((32, 32, 48), "fc, fprop_x"),
        ((32, 48, 32), "fc, dgrad_dy"),
        ((48, 32, 32), "fc, wgrad_dy"),
    ],
    ids=["K", "N", "M"],
)
def test_ragged_blocks(shape, message):
    data = arrays(*shape)
    with pytest.raises(ValueError, match=message):
        run("mxfp4", data)
    padded = replace(recipes.get("mxfp4"), padded=True)
    notes = Notes()
    run(padded, data, notes=notes)
    for role in ROLES:
        axis = recipes.ROLES[role].axis
        array = dict(zip("xwd", data, strict=True))[recipes.ROLES[role].tensor[0]]
        q = rn.quantize(array, rn.MXFP4, axis=axis)
        assert np.array_equal(notes.operands[role].values, rn.dequantize(q))


def test_delayed_and_held_references():
    operand = Operand("nvfp4", amax=recipes.Amax("held", 2))
    products = QuantizedProducts(recipe_of(operand), 0, "fc")
    delayed = Operand("nvfp4", amax=recipes.Amax("delayed"))
    late = QuantizedProducts(recipe_of(delayed), 0, "fc")
    x, w, _ = arrays()
    top, scales, past = np.abs(x).max(), [], []
    for step in range(1, 5):
        for chosen, found in ((products, scales), (late, past)):
            chosen.begin(step)
            chosen.observer = notes = Notes()
            chosen.forward(x * np.float32(step), w)
            scale = notes.operands["fprop_x"].quantized.tensor_scale
            found.append(round(float(scale * 2688 / top)))
    assert scales == [1, 1, 3, 3]
    assert past == [1, 1, 2, 3]
    other = QuantizedProducts(recipe_of(operand), 0, "fc")
    other.amax.load_state(products.amax.state())
    assert other.amax.state().keys() == products.amax.state().keys()
    with pytest.raises(ValueError, match="unknown state"):
        other.amax.load_state({"old": np.float32(1)})


def test_words_and_signs():
    site = Site(3, 9, "fc")
    stream = site.stream("dgrad_dy")
    words = stream.words(64)
    assert np.array_equal(bits_of(stream, (4, 64), 8).reshape(-1), words.view(np.uint8))
    assert np.array_equal(bits_of(stream, (64,), 24), words & 0xFFFFFF)
    assert np.array_equal(bits_of(stream, (128,), 11), words.view(np.uint16) & 0x7FF)
    with pytest.raises(ValueError, match="1 to 32"):
        bits_of(stream, (1,), 0)
    fixed, step = Rotation(64, "fixed"), Rotation(64, "step")
    later = Site(3, 10, "fc")
    assert np.array_equal(
        signs_of(fixed, site, "wgrad"), signs_of(fixed, later, "wgrad")
    )
    assert not np.array_equal(
        signs_of(step, site, "wgrad"), signs_of(step, later, "wgrad")
    )
    assert not np.array_equal(
        signs_of(step, site, "wgrad"), signs_of(step, site, "dgrad")
    )
    assert signs_of(Rotation(16), site, "wgrad") is None


def test_wrong_type():
    with pytest.raises(TypeError, match="must be a Recipe"):
        QuantizedProducts("mxfp4")


def test_gradient_through_scales():
    data = arrays()
    x, w, _ = data
    base = recipe_of(Operand("nvfp4"))
    scale = ScaleSlope("absmax", tensor="absmax")
    through = Operand("nvfp4", slope=Slope("clip", scale=scale))
    recipe = replace(base, fprop_x=through, fprop_w=through)
    plain, found = run(base, data), run(recipe, data)
    for array, before, after in ((x, plain[1], found[1]), (w, plain[2], found[2])):
        expected = quantize_vjp(
            before,
            array,
            rn.quantize(array, rn.NVFP4),
            element=ClipMask(),
            scale=ScaleGradient("absmax", tensor="absmax"),
        )
        assert np.array_equal(after, expected)
        assert not np.array_equal(after, before)


def test_options_of_slopes_are_refused_early():
    wrong = Operand("mxfp4", slope=Slope("dge", (("steepness", 3),)))
    recipe = replace(recipes.get("mxfp4"), fprop_w=wrong)
    with pytest.raises(ValueError, match="no options steepness"):
        QuantizedProducts(recipe)
    through = Operand("bf16", slope=Slope(scale=ScaleSlope("absmax")))
    with pytest.raises(ValueError, match="no scale that a gradient passes through"):
        replace(recipes.get("bf16"), fprop_w=through)


@pytest.mark.parametrize("name", recipes.names())
def test_hard_arrays(name):
    """Nothing warns; zeros stay zero, NaN is not hidden, no rows are no gradient."""
    rng = np.random.default_rng(0)
    x, w, dy = (rng.normal(size=(128, 128)).astype(np.float32) for _ in range(3))
    results = run(name, (0 * x, w, 0 * dy))
    assert not any(part.any() for part in results)
    y, _, dw = run(name, (x[:0], w, dy[:0]))
    assert y.shape == (0, 128)
    assert not dw.any()
    spoilt = x.copy(), w, dy.copy()
    spoilt[0][3, 5] = spoilt[2][2, 1] = np.nan
    assert all(np.isnan(part).any() for part in run(name, spoilt))
    for factor in (1e-38, 1e37):
        run(name, (x, w, dy * np.float32(factor)))
