"""Every operation: gradients against differences, in any layout, and its refusals."""

import numpy as np
import pytest

import refnum as rn
from refnum import autograd as ag
from refnum.autograd import FAST, Tensor, check_gradients, use

RNG = np.random.default_rng(7)

# Shapes: ordinary, of one element, with axes of length one, empty, without axes.
SHAPES = [(2, 3), (1,), (1, 4, 1), (0, 3), ()]
BROADCAST = [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((0, 3), (1,))]

ANY = {
    name: getattr(ag, name)
    for name in (
        *("negative", "square", "exp", "expm1", "sin", "cos", "tanh", "erf"),
        *("sigmoid", "relu", "silu", "gelu", "gelu_tanh", "abs"),
    )
} | {
    "clip": lambda x: ag.clip(x, -0.5, 0.7),
    "cube": lambda x: x**3,
    "where": lambda x: ag.where(x > 0, x * x, -x),
    "float32 and back": lambda x: x.astype(np.float64),
}
POSITIVE = {
    name: getattr(ag, name) for name in ("sqrt", "rsqrt", "log", "log1p", "reciprocal")
} | {"root": lambda x: x**0.3, "exponent": lambda x: 1.7**x}
PAIRS = {
    name: getattr(ag, name)
    for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum")
} | {
    "power": lambda x, y: ag.power(x * x + 1, y),
    "where": lambda x, y: ag.where(np.array([True, False, True])[:1], x, y),
}
REDUCTIONS = {
    name: getattr(ag, name)
    for name in (
        *("sum", "mean", "max", "min", "var"),
        *("softmax", "log_softmax", "logsumexp"),
    )
}
MATRIX = RNG.permutation(24).reshape(4, 6) / 7.0  # no ties, no kinks
SHAPING = {
    "reshape": lambda x: x.reshape(3, -1) * MATRIX.reshape(3, -1),
    "transpose": lambda x: x.T * MATRIX.T,
    "transpose of three": lambda x: x.reshape(2, 3, 4).transpose(1, 2, 0) ** 2,
    "swapaxes": lambda x: ag.swapaxes(x, 0, -1) ** 2,
    "moveaxis": lambda x: ag.moveaxis(x.reshape(2, 3, 4), 0, -1) ** 2,
    "expand_dims": lambda x: ag.expand_dims(x, 1) ** 2,
    "squeeze": lambda x: ag.squeeze(x.reshape(4, 1, 6)) ** 2,
    "broadcast_to": lambda x: ag.broadcast_to(x, (3, 4, 6)) ** 2,
    "pad": lambda x: ag.pad(x, [(1, 0), (0, 2)], 5.0) ** 2,
    "concatenate": lambda x: ag.concatenate([x, x * x, MATRIX[:2]]) ** 2,
    "stack": lambda x: ag.stack([x, x * x], axis=1) ** 2,
    "split": lambda x: ag.multiply(*ag.split(x, 2, axis=1)),
    "split at": lambda x: ag.split(x, [1, 3])[1] ** 2,
    "slice": lambda x: x[1:3, ::2] ** 2,
    "backwards": lambda x: x[::-1, 1] ** 2,
    "new axis": lambda x: x[:, None, ..., 1] ** 2,
    "repeated rows": lambda x: x[[0, 2, 0]] ** 2,
    "pairs": lambda x: x[np.array([0, 0, 3]), np.array([1, 1, 2])] ** 2,
    "mask": lambda x: x[MATRIX > 1] ** 2,
    "nothing": lambda x: x[:, 2:2] ** 2,
    "take": lambda x: ag.take(x, [[0, 5], [0, 1]], axis=1) ** 2,
    "gather": lambda x: ag.take_along_axis(x, [[0], [5], [0], [1]], 1) ** 2,
    "embedding": lambda x: ag.embedding(x, [[3, 3], [0, 1]]) ** 2,
    "scatter_add": lambda x: ag.scatter_add(x, [[1, 1, 0, 0, 2, 1]], x[:1], 0) ** 2,
}


def inputs(shape, positive=False):
    """Return numbers away from zero and from each other: kinks are there."""
    count = int(np.prod(shape))
    values = (RNG.permutation(count) + 0.4) / max(count, 1) * 2
    return (values + 0.2 if positive else values - 1.03).reshape(shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ANY)
def test_unary(name, shape):
    check_gradients(ANY[name], [inputs(shape)], order=2, name=name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", POSITIVE)
def test_unary_on_positive(name, shape):
    check_gradients(POSITIVE[name], [inputs(shape, True)], order=2, name=name)


@pytest.mark.parametrize("shapes", BROADCAST, ids=str)
@pytest.mark.parametrize("name", PAIRS)
def test_broadcasting(name, shapes):
    first, second = (inputs(shape) for shape in shapes)
    check_gradients(PAIRS[name], [first, second + 0.011], order=2, name=name)
    check_gradients(PAIRS[name], [second + 0.011, first], order=2, name=name)


@pytest.mark.parametrize("axis", [0, -1, (0, 2), None], ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction(name, axis):
    x = inputs((2, 3, 4))
    check_gradients(lambda x: REDUCTIONS[name](x, axis) * 1.5, [x], order=2, name=name)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "var", "logsumexp"])
def test_reduction_keeps_axes(name):
    def f(x):
        return REDUCTIONS[name](x, 1, keepdims=True) * x

    check_gradients(f, [inputs((2, 3))], order=2, name=name)
    assert REDUCTIONS[name](inputs((2, 3)), 1, keepdims=True).shape == (2, 1)


def test_variance_with_ddof():
    check_gradients(lambda x: ag.var(x, 0, 1), [inputs((4, 2))], order=2)
    x = inputs((4, 2))
    np.testing.assert_allclose(Tensor(x).var(0, 1).data, x.var(0, ddof=1), rtol=1e-14)


@pytest.mark.parametrize("name", SHAPING)
def test_shaping(name):
    check_gradients(SHAPING[name], [MATRIX + 0.3], order=2, name=name)


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((5, 1, 2, 3), (4, 3, 2)),
        ((3,), (3, 2)),
        ((2, 3), (3,)),
        ((3,), (3,)),
        ((4, 2, 3), (3,)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 2)),
    ],
    ids=str,
)
def test_matmul(shapes):
    a, b = (inputs(shape) for shape in shapes)
    check_gradients(ag.matmul, [a, b], order=2)
    np.testing.assert_array_equal(ag.matmul(Tensor(a), b).shape, np.matmul(a, b).shape)


def test_linear_and_cross_entropy():
    x, w, b = inputs((2, 3, 4)), inputs((5, 4)), inputs((5,))
    targets = [[0, 4, 1], [1, 1, 3]]
    for reduction in ("mean", "sum", "none"):
        check_gradients(
            lambda x, w, b, r=reduction: ag.cross_entropy(
                ag.linear(x, w, b), targets, reduction=r
            ),
            [x, w, b],
            order=2,
        )


def test_ties_share_the_gradient():
    x = Tensor([1.0, 3.0, 3.0], requires_grad=True)
    with use(FAST):
        x.max().backward()
        assert x.grad.tolist() == [0, 0.5, 0.5]
        x.grad = None
        ag.maximum(x, 3.0).backward(np.ones(3))
        assert x.grad.tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize("name", [*ANY, *POSITIVE])
def test_strides_do_not_matter(name):
    f = (ANY | POSITIVE)[name]
    base = inputs((4, 6), positive=True)
    views = [base[::2, ::-3], base.T[1:4:2], np.broadcast_to(base[:, :1], (4, 3))]
    for view in views:
        expected = f(Tensor(view.copy())).data
        assert f(Tensor(view)).data.tolist() == expected.tolist()
        if name != "float32 and back":
            assert np.asarray(f(view.copy())).tolist() == expected.tolist()


@pytest.mark.parametrize("name", [*ANY, *POSITIVE, *REDUCTIONS, *SHAPING])
def test_float32_stays_float32(name):
    if name == "float32 and back":
        pytest.skip("converts")
    f = (ANY | POSITIVE | REDUCTIONS | SHAPING)[name]
    if name in SHAPING:
        matrix = MATRIX.astype(np.float32)
        if name in ("reshape", "transpose", "concatenate"):
            pytest.skip("joins float64")
    else:
        matrix = inputs((4, 6), positive=True).astype(np.float32)
    x = Tensor(matrix, requires_grad=True)
    with use(FAST):
        y = f(x)
        y.backward(np.ones(y.shape))
    assert y.dtype == np.float32
    assert x.grad.dtype == np.float32
    assert y.numerics is FAST


def test_steps_have_no_gradient():
    x = Tensor([0.3, -1.5], requires_grad=True)
    for step in (ag.sign, ag.floor, ag.ceil, ag.rint):
        assert not step(x).requires_grad


def test_arrays_stay_arrays():
    assert type(ag.multiply(np.ones(2), 3.0)) is np.ndarray
    assert type(np.float32(2) * Tensor([1.0])) is Tensor
    assert type(np.ones(1, np.float32) * Tensor([1.0])) is Tensor


@pytest.mark.parametrize(
    ("error", "match", "wrong"),
    [
        (TypeError, "mixes float32 and float64", lambda x: x + np.ones(2)),
        (TypeError, "mixes", lambda x: x + Tensor(np.ones(2))),
        (TypeError, "in place", lambda x: x.__setitem__(0, 1.0)),
        (TypeError, r"t\.data", lambda x: np.asarray(x)),
        (TypeError, "condition must be bool", lambda x: ag.where([1, 0], x, x)),
        (TypeError, "float32 or float64", lambda x: x.astype(np.float16)),
        (TypeError, "integers", lambda x: ag.embedding(x, [0.5])),
        (TypeError, "integers", lambda x: ag.cross_entropy(x, 0.5)),
        (
            TypeError,
            "not float64",
            lambda x: ag.matmul(*[x.astype(np.float64)] * 2, accumulator=rn.EXACT),
        ),
        (TypeError, "real numbers", lambda x: Tensor(["a"])),
        (TypeError, "real numbers", lambda x: Tensor(1j)),
        (TypeError, "float32 or float64", lambda x: Tensor(1, dtype=np.int32)),
        (ValueError, "from 0 to 1, not 2", lambda x: ag.embedding(x, [2])),
        (ValueError, "from 0 to 1, not -1", lambda x: ag.embedding(x, [-1])),
        (ValueError, "from 0 to 1", lambda x: ag.cross_entropy(x, 2)),
        (ValueError, "targets of shape", lambda x: ag.cross_entropy(x, [0])),
        (
            ValueError,
            "reduction must",
            lambda x: ag.cross_entropy(x, 0, reduction="median"),
        ),
        (ValueError, "axis 1", lambda x: x.sum(1)),
        (ValueError, "twice", lambda x: x.sum((0, -1))),
        (ValueError, "no elements", lambda x: x[:0].max()),
        (ValueError, "no elements", lambda x: x[:0].mean()),
        (ValueError, "nothing to divide", lambda x: x.var(0, 2)),
        (ValueError, "does not fit", lambda x: x @ np.ones((3, 2), np.float32)),
        (ValueError, "at least one axis", lambda x: x @ Tensor(1.0)),
        (ValueError, "nothing to join", lambda x: ag.concatenate([])),
        (ValueError, "equal parts", lambda x: ag.split(x, 3)),
        (ValueError, "no order", lambda x: x.transpose(0, 0)),
        (ValueError, "low must be less", lambda x: ag.clip(x, 1, 1)),
        (ValueError, "no pairs", lambda x: ag.pad(x, [(-1, 0)])),
        (ValueError, "axes, not 1", lambda x: ag.take_along_axis(x, [[0]], 0)),
        (ValueError, "do not fit", lambda x: ag.scatter_add(x, [0, 1], x[:1], 0)),
    ],
    ids=range(31),
)
def test_refusals(error, match, wrong):
    x = Tensor([1.0, 2.0], requires_grad=True)
    with use(FAST), pytest.raises(error, match=match):
        wrong(x)
