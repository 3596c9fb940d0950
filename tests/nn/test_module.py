"""Parameters and modules by name, and the linear layer's three products."""

import numpy as np
import pytest

import refnum as rn
from refnum.autograd import FAST, Stream, Tensor, check_gradients, use
from refnum.nn import (
    FULL_PRECISION,
    GPT2,
    MLP,
    FullPrecision,
    GPT2Config,
    Linear,
    Module,
    Normal,
    gradients_of,
    linear,
    load_parameters,
    modules,
    parameters,
)
from refnum.nn.initializers import KaimingUniform, XavierUniform

TINY = GPT2Config(vocabulary=5, context=4, width=8, heads=2, layers=2)


def test_names_follow_the_definition():
    model = GPT2(TINY, Stream(0))
    names = list(parameters(model))
    assert names[:3] == [
        "tokens.weight",
        "positions.weight",
        "blocks.0.attention_norm.weight",
    ]
    assert "blocks.1.attention.query.weight" in names
    assert "head.weight" not in names  # it is tied
    assert model.head.weight is model.tokens.weight
    assert modules(model)["blocks.1.mlp.up"].name == "blocks.1.mlp.up"
    untied = GPT2(GPT2Config(5, 4, 8, 2, 2, tied=False), Stream(0))
    assert list(parameters(untied))[-1] == "head.weight"


def test_initial_values_depend_on_names_alone():
    one, other = GPT2(TINY, Stream(1)), GPT2(GPT2Config(5, 4, 8, 2, 1), Stream(1))
    for name in ("tokens.weight", "blocks.0.attention.key.weight"):
        np.testing.assert_array_equal(
            parameters(one)[name].data, parameters(other)[name].data
        )
    assert len({p.data.tobytes() for p in parameters(one).values() if p.ndim > 1}) == 14


def test_residual_branches_begin_smaller():
    model = GPT2(GPT2Config(5, 4, 128, 2, 8), Stream(0))
    block = model.blocks[3]
    assert block.mlp.up.weight.data.std() == pytest.approx(0.02, rel=0.02)
    assert block.mlp.down.weight.data.std() == pytest.approx(0.02 / 4, rel=0.02)
    assert block.attention.output.weight.data.std() == pytest.approx(0.005, rel=0.03)


@pytest.mark.parametrize(
    ("initializer", "bound"),
    [
        (KaimingUniform(), 1 / 6),
        (KaimingUniform(2**0.5), (6 / 36) ** 0.5),
        (XavierUniform(), (6 / (36 + 45)) ** 0.5),
    ],
)
def test_uniform_bounds(initializer, bound):
    values = initializer(Stream(0), (5, 4, 3, 3))
    assert 0.9 * bound < np.abs(values).max() <= bound * (1 + 1e-6)


def test_frozen_and_foreign_attributes_are_no_parameters():
    class Odd(Module):
        def __init__(self):
            self.frozen = Tensor([1.0])
            self.array = np.ones(3)
            self.layer = Linear(2, 1, Stream(0))

    assert list(parameters(Odd())) == ["layer.weight", "layer.bias"]


def test_unused_parameters_have_zero_gradients():
    model = MLP([2, 3, 1], Stream(0))
    found = parameters(model)
    gradients = gradients_of(model.layers[0](Tensor([[1.0, 2.0]])).sum(), found)
    assert list(gradients) == list(found)
    assert not gradients["layers.1.weight"].any()
    assert gradients["layers.0.bias"].tolist() == [1, 1, 1]


def test_load_parameters():
    one, other = (MLP([2, 3, 1], Stream(seed)) for seed in (0, 1))
    values = {name: p.data for name, p in parameters(one).items()}
    load_parameters(other, values)
    for name, tensor in parameters(other).items():
        np.testing.assert_array_equal(tensor.data, values[name])
    with pytest.raises(ValueError, match=r"differ in layers\.1\.bias"):
        load_parameters(other, {k: values[k] for k in list(values)[:-1]})
    wrong = values | {"layers.1.bias": np.zeros(2, np.float32)}
    with pytest.raises(ValueError, match=r"layers\.1\.bias is float32 of shape \(1,\)"):
        load_parameters(other, wrong)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_gradients(bias):
    rng = np.random.default_rng(0)
    shapes = [(2, 3, 4), (5, 4), (5,)][: 2 + bias]
    check_gradients(linear, [rng.standard_normal(shape) for shape in shapes])


def test_linear_asks_products_for_what_is_needed():
    class Recorder(FullPrecision):
        def backward(self, dy, saved, needs):
            asked.append((dy.shape, needs))
            return super().backward(dy, saved, needs)

    asked = []
    x, w = Tensor(np.ones((2, 3, 4), np.float32)), Linear(4, 5, Stream(0))
    w.products = Recorder()
    w(x).sum().backward()
    y = Tensor(x.data, requires_grad=True)
    w(y).sum().backward()
    assert asked == [((6, 5), (False, True)), ((6, 5), (True, True))]


def test_linear_takes_an_accumulator():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s, dtype=np.float32) for s in ((7, 300), (4, 300)))
    for products in (FULL_PRECISION, FullPrecision(rn.SEQUENTIAL)):
        expected = rn.matmul(x, w.T, accumulator=products.accumulator or rn.EXACT)
        found = linear(Tensor(x), Tensor(w), products=products)
        np.testing.assert_array_equal(found.data, expected)


def test_linear_in_parts():
    layer = Linear(3, 2, Stream(0), initializer=Normal(1.0))
    with use(FAST):
        whole = layer(Tensor(np.ones((2, 2, 3), np.float32)))
        part = layer(Tensor(np.ones(3, np.float32)))
    assert whole.shape == (2, 2, 2)
    np.testing.assert_allclose(whole.data[1, 1], part.data, rtol=1e-6)


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("inputs and outputs must be positive", lambda: Linear(0, 2, Stream(0))),
        (
            "kind must be one of attention, mlp",
            lambda: Linear(1, 2, Stream(0), kind="x"),
        ),
        (
            "weight must have the shape",
            lambda: Linear(1, 2, Stream(0), weight=Tensor([1.0])),
        ),
        ("does not fit a weight", lambda: Linear(3, 2, Stream(0))(Tensor([1.0]))),
        ("sizes must be two or more", lambda: MLP([3], Stream(0))),
        ("activation must be one of", lambda: MLP([3, 1], Stream(0), activation="x")),
        ("heads do not divide", lambda: GPT2Config(5, 4, 8, 3, 1)),
        ("layers must be positive", lambda: GPT2Config(5, 4, 8, 2, 0)),
        ("T from 1 to 4", lambda: GPT2(TINY, Stream(0))(np.zeros((1, 5), int))),
        ("indices must be from 0 to 4", lambda: GPT2(TINY, Stream(0))([[5]])),
    ],
)
def test_wrong_arguments(message, make):
    with pytest.raises(ValueError, match=message):
        make()
