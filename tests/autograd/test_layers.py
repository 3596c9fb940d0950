"""Operations built on the table: normalisations, attention, images."""

import math

import numpy as np
import pytest

from refnum import autograd as ag
from refnum.autograd import FAST, REPRODUCIBLE, Tensor, check_gradients, use

RNG = np.random.default_rng(3)


def draw(*shape):
    return RNG.standard_normal(shape)


@pytest.fixture(autouse=True)
def _fast():
    with use(FAST):
        yield


@pytest.mark.parametrize("shape", [(3, 4), (1, 4), (4, 1), (0, 3), (2, 3, 4)], ids=str)
def test_norms_over_the_last_axis(shape):
    x, w, b = draw(*shape), draw(shape[-1]), draw(shape[-1])
    check_gradients(ag.layer_norm, [x, w, b], order=2)
    check_gradients(ag.rms_norm, [x, w], order=2)


def test_norms_over_channels():
    x, w, b = draw(2, 4, 3, 2), draw(4), draw(4)
    check_gradients(ag.batch_norm, [x, w, b], order=2)
    check_gradients(
        lambda x, w, b: ag.group_norm(x, 2, w, b), [x, w, b], order=2, name="group_norm"
    )


def test_norms_normalise():
    x = Tensor(draw(2, 4, 5))
    y = ag.layer_norm(x, axis=(1, 2)).data
    np.testing.assert_allclose(y.mean((1, 2)), 0, atol=1e-14)
    np.testing.assert_allclose(y.var((1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose((ag.rms_norm(x).data ** 2).mean(-1), 1, rtol=1e-4)


ATTENTIONS = {
    "plain": ((3, 4), (5, 4), (5, 2), {}),
    "causal": ((2, 4, 3), (2, 4, 3), (2, 4, 3), {"causal": True}),
    "mask": (
        (2, 3),
        (3, 3),
        (3, 1),
        {"mask": np.array([[True, False, True], [True] * 3])},
    ),
    "scale": ((3, 2), (3, 2), (3, 2), {"scale": 0.7}),
    "shared keys": ((2, 3, 2, 4), (1, 3, 5, 4), (5, 4), {}),
    "no queries": ((0, 2), (3, 2), (3, 2), {}),
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention(name):
    *shapes, options = ATTENTIONS[name]
    inputs = [draw(*shape) for shape in shapes]
    check_gradients(lambda q, k, v: ag.attention(q, k, v, **options), inputs)
    check_gradients(
        lambda q, k, v: ag.attention_composition(q, k, v, **options), inputs, order=2
    )


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_equals_its_composition(name):
    *shapes, options = ATTENTIONS[name]
    both = []
    arrays = [draw(*shape).astype(np.float32) for shape in shapes]
    start = None
    for f in (ag.attention, ag.attention_composition):
        tensors = [Tensor(x, requires_grad=True) for x in arrays]
        out = f(*tensors, **options)
        start = draw(*out.shape) if start is None else start
        out.backward(start)
        both.append([out.data, *[t.grad for t in tensors]])
    for fused, composed in zip(*both, strict=True):
        np.testing.assert_allclose(fused, composed, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(both[0][0], both[1][0])


def test_fused_attention_is_not_differentiable_twice():
    q = Tensor(draw(2, 2), requires_grad=True)
    out = ag.attention(q, q, q).sum()
    with pytest.raises(RuntimeError, match="'attention' cannot be differentiated"):
        ag.gradients(out, [q], create_graph=True)


CONVOLUTIONS = {
    "plain": ((2, 3, 5, 4), (4, 3, 3, 2), {}),
    "one by one": ((1, 2, 3, 3), (2, 2, 1, 1), {}),
    "strided": ((1, 2, 7, 6), (2, 2, 3, 3), {"stride": 2, "padding": 1}),
    "uneven": (
        (1, 1, 6, 7),
        (2, 1, 2, 3),
        {"stride": (1, 2), "padding": (0, 2), "dilation": (2, 1)},
    ),
    "groups": ((2, 4, 4, 4), (6, 2, 3, 3), {"groups": 2}),
    "depthwise": ((1, 3, 4, 4), (3, 1, 3, 3), {"groups": 3, "padding": 1}),
    "no images": ((0, 2, 3, 3), (2, 2, 2, 2), {}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv2d(name):
    x, w, options = CONVOLUTIONS[name]
    inputs = [draw(*x), draw(*w), draw(w[0])]
    check_gradients(
        lambda x, w, b: ag.conv2d(x, w, b, **options), inputs, order=2, name="conv2d"
    )


def conv2d_definition(x, w, stride, padding, dilation, groups):
    """One element of the result after the other."""
    x = np.pad(x, [(0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2])
    (n, _, height, width), (kernels, depth, kh, kw) = x.shape, w.shape
    rows = (height - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    columns = (width - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((n, kernels, rows, columns))
    for b, o, i, j in np.ndindex(out.shape):
        first = o // (kernels // groups) * depth
        for c, u, v in np.ndindex(depth, kh, kw):
            row = i * stride[0] + u * dilation[0]
            column = j * stride[1] + v * dilation[1]
            out[b, o, i, j] += w[o, c, u, v] * x[b, first + c, row, column]
    return out


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv2d_is_its_definition(name):
    x, w, options = CONVOLUTIONS[name]
    x, w = draw(*x), draw(*w)

    def pair(key, usual):
        value = options.get(key, usual)
        return value if isinstance(value, tuple) else (value, value)

    expected = conv2d_definition(
        x,
        w,
        pair("stride", 1),
        pair("padding", 0),
        pair("dilation", 1),
        options.get("groups", 1),
    )
    np.testing.assert_allclose(ag.conv2d(x, w, **options), expected, atol=1e-13)


@pytest.mark.parametrize("arguments", [(2,), (3, 1), ((2, 3), (2, 1), (1, 0))], ids=str)
def test_pooling(arguments):
    x = draw(2, 2, 6, 5)
    check_gradients(lambda x: ag.max_pool2d(x, *arguments), [x], order=2)
    check_gradients(lambda x: ag.avg_pool2d(x, *arguments) ** 2, [x], order=2)


def test_pooling_values():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    assert ag.max_pool2d(x, 2)[0, 0].tolist() == [[5, 7], [13, 15]]
    assert ag.avg_pool2d(x, 2)[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert ag.max_pool2d(-x, 2, padding=1)[0, 0, 0].tolist() == [0, -1, -3]


def test_upsampling():
    x = np.arange(4.0).reshape(1, 1, 2, 2)
    assert ag.upsample2d(x, (1, 2))[0, 0].tolist() == [[0, 0, 1, 1], [2, 2, 3, 3]]
    check_gradients(
        lambda x: ag.upsample2d(x, (3, 2)) ** 2, [draw(2, 1, 2, 3)], order=2
    )


def test_bilinear_upsampling():
    x = draw(2, 1, 3, 2)
    down, across = 4, 3
    result = ag.upsample2d(x, (down, across), "bilinear")
    for i, j in np.ndindex(3 * down, 2 * across):
        total = 0.0  # each pixel counts by its distance from the place looked at
        for r, c in np.ndindex(3, 2):
            row = np.clip((i + 0.5) / down - 0.5, 0, 2)
            column = np.clip((j + 0.5) / across - 0.5, 0, 1)
            near = max(0, 1 - abs(row - r)) * max(0, 1 - abs(column - c))
            total = total + near * x[:, :, r, c]
        np.testing.assert_allclose(result[:, :, i, j], total, rtol=1e-13)
    check_gradients(lambda x: ag.upsample2d(x, (3, 2), "bilinear") ** 2, [x], order=2)
    hole = np.ones((1, 1, 4, 4), np.float32)
    hole[0, 0, 3, 3] = np.nan
    assert np.isnan(ag.upsample2d(hole, 2, "bilinear")).sum() == 9


def test_numerics_of_one_call():
    x, image = (
        draw(3, 4).astype(np.float32),
        Tensor(draw(1, 2, 4, 4).astype(np.float32)),
    )
    reproducible = [
        ag.layer_norm(Tensor(x), numerics=REPRODUCIBLE),
        ag.rms_norm(Tensor(x), numerics=REPRODUCIBLE),
        ag.batch_norm(image, numerics=REPRODUCIBLE),
        ag.group_norm(image, 2, numerics=REPRODUCIBLE),
        ag.avg_pool2d(image, 2, numerics=REPRODUCIBLE),
        ag.max_pool2d(image, 2, numerics=REPRODUCIBLE),
        ag.upsample2d(image, 2, "bilinear", numerics=REPRODUCIBLE),
    ]
    assert {y.numerics.name for y in reproducible} == {"reproducible"}
    assert ag.layer_norm(Tensor(x)).numerics is FAST


IMAGE = np.ones((1, 2, 3, 3), np.float32)
KERNEL = np.ones((2, 2, 2, 2), np.float32)


@pytest.mark.parametrize(
    ("error", "match", "wrong"),
    [
        (ValueError, "does not fit", lambda: ag.conv2d(IMAGE, KERNEL, dilation=3)),
        (ValueError, "groups", lambda: ag.conv2d(IMAGE, KERNEL, groups=2)),
        (ValueError, "four axes", lambda: ag.conv2d(IMAGE, KERNEL[0])),
        (ValueError, r"\(N, C, H, W\)", lambda: ag.conv2d(IMAGE[0], KERNEL)),
        (ValueError, "stride must", lambda: ag.conv2d(IMAGE, KERNEL, stride=0)),
        (ValueError, "half of", lambda: ag.max_pool2d(IMAGE, 2, padding=2)),
        (ValueError, "factor must", lambda: ag.upsample2d(IMAGE, 0)),
        (ValueError, "not 'cubic'", lambda: ag.upsample2d(IMAGE, 2, "cubic")),
        (
            ValueError,
            "nothing to interpolate",
            lambda: ag.upsample2d(IMAGE[:, :, :0], 2, "bilinear"),
        ),
        (ValueError, "epsilon", lambda: ag.layer_norm(IMAGE, epsilon=0)),
        (ValueError, "epsilon", lambda: ag.rms_norm(IMAGE, epsilon=math.nan)),
        (ValueError, "equal groups", lambda: ag.group_norm(IMAGE, 3)),
        (ValueError, "no elements", lambda: ag.layer_norm(IMAGE[..., :0])),
        (ValueError, "no elements", lambda: ag.batch_norm(IMAGE[:0])),
        (ValueError, "do not fit", lambda: ag.attention(IMAGE, KERNEL, KERNEL)),
        (
            ValueError,
            "sees no key",
            lambda: ag.attention(IMAGE, IMAGE, IMAGE, mask=np.zeros((3, 3), bool)),
        ),
        (
            ValueError,
            "sees no key",
            lambda: ag.attention(
                IMAGE, IMAGE[..., :1, :], IMAGE[..., :1, :], causal=True
            ),
        ),
        (
            TypeError,
            "mask must be bool",
            lambda: ag.attention(IMAGE, IMAGE, IMAGE, mask=np.ones((3, 3))),
        ),
    ],
    ids=range(18),
)
def test_refusals(error, match, wrong):
    with pytest.raises(error, match=match):
        wrong()
