"""Every layer and model agrees with finite differences of itself."""

import numpy as np
import pytest

from refnum import nn
from refnum.autograd import Stream, Tensor, check_gradients
from refnum.nn.models.rotary import rotary, rotary_tables
from refnum.nn.models.unet import time_features

from ._models import as_function

rng = np.random.default_rng(0)
ROWS = Tensor(rng.standard_normal((2, 3, 8)))
IMAGES = Tensor(rng.standard_normal((2, 4, 8, 8)))
TOKENS = np.array([[1, 2, 0, 4], [3, 3, 1, 0]])
S = Stream(0)
LLAMA = nn.LlamaConfig(5, 4, 8, 4, 1, key_heads=2, hidden=12)


MODELS = {
    "Embedding": (nn.Embedding(5, 3, S), TOKENS),
    "LayerNorm": (nn.LayerNorm(8), ROWS),
    "RMSNorm": (nn.RMSNorm(8), ROWS),
    "GroupNorm": (nn.GroupNorm(2, 4), IMAGES),
    "Conv2d": (nn.Conv2d(4, 3, 3, S, stride=2), IMAGES),
    "attention": (nn.CausalAttention(8, 2, S), ROWS),
    "rotary attention": (nn.CausalAttention(8, 4, S, key_heads=2, positions=5), ROWS),
    "GeluMLP": (nn.GeluMLP(8, 12, S), ROWS),
    "GeluMLP, erf": (nn.GeluMLP(8, 12, S, activation="gelu", bias=False), ROWS),
    "SwiGLU": (nn.SwiGLU(8, 12, S), ROWS),
    "MLP": (nn.MLP([8, 5, 2], S, activation="tanh"), ROWS),
    "GPT-2": (nn.GPT2(nn.GPT2Config(5, 4, 8, 2, 1), S), TOKENS),
    "GPT-2, untied": (nn.GPT2(nn.GPT2Config(5, 4, 8, 2, 1, tied=False), S), TOKENS),
    "LLaMA": (nn.Llama(LLAMA, S), TOKENS),
    "ConvNet": (nn.ConvNet(nn.ConvNetConfig(width=2, channels=4), S), IMAGES),
    "OperatorNet": (
        nn.OperatorNet(nn.OperatorConfig(8, 4, 2), S),
        Tensor(rng.standard_normal((2, 8))),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_gradients(name):
    model, *inputs = MODELS[name]
    function, values = as_function(model, *inputs)
    # Initial weights are too small for differences to see much of them.
    moved = [value + rng.standard_normal(value.shape) / 4 for value in values]
    check_gradients(function, moved, name=name)


def test_gradients_of_unet():
    net = nn.UNet(nn.UNetConfig(width=4, channels=2, groups=2), S)
    x = Tensor(rng.standard_normal((2, 2, 4, 4)))
    function, values = as_function(net, x, np.array([1, 30]))
    moved = [value + rng.standard_normal(value.shape) / 4 for value in values]
    check_gradients(function, moved, name="UNet")


def test_gradients_of_inputs():
    for layer in (nn.CausalAttention(8, 2, S, positions=3), nn.SwiGLU(8, 12, S)):
        function, values = as_function(layer, ROWS)
        function(*[Tensor(value) for value in values])
        check_gradients(layer, [ROWS.data], name=type(layer).__name__)
    check_gradients(lambda x: rotary(x, rotary_tables(3, 8)), [ROWS.data], order=2)


def test_rotary_products_depend_on_distance():
    tables = rotary_tables(20, 8)
    q, k = (Tensor(np.tile(rng.standard_normal(8), (20, 1))) for _ in range(2))
    products = rotary(q, tables).data @ rotary(k, tables).data.T
    for distance in range(-5, 6):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-5, atol=1e-5)


def test_attention_sees_no_later_position():
    layer = nn.CausalAttention(8, 2, S, positions=3)
    x = rng.standard_normal((1, 3, 8)).astype(np.float32)
    before = layer(Tensor(x)).data
    x[:, 2] += 1
    after = layer(Tensor(x)).data
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert (before[:, 2] != after[:, 2]).any()


def test_operator_net_commutes_with_turning():
    net = nn.OperatorNet(nn.OperatorConfig(16, 4, 3), S)
    x = rng.standard_normal((2, 16)).astype(np.float32)
    turned = net(Tensor(np.roll(x, 5, 1))).data
    np.testing.assert_array_equal(turned, np.roll(net(Tensor(x)).data, 5, 1))


def test_time_features():
    features = time_features([0, 3], 4)
    np.testing.assert_allclose(features[0], [0, 0, 1, 1])
    expected = [np.sin(3), np.sin(0.03), np.cos(3), np.cos(0.03)]
    np.testing.assert_allclose(features[1], expected, rtol=1e-6)
    with pytest.raises(ValueError, match="times must be integers"):
        time_features([0.5], 4)


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("no 3 equal groups", lambda: nn.GroupNorm(3, 4)),
        ("width must be positive", lambda: nn.LayerNorm(0)),
        ("padding must not be negative", lambda: nn.Conv2d(1, 1, 3, S, padding=-1)),
        ("key heads do not divide", lambda: nn.CausalAttention(8, 4, S, key_heads=3)),
        ("need an even size", lambda: nn.LlamaConfig(5, 4, 6, 2, 1)),
        ("base must be greater", lambda: rotary_tables(3, 4, base=1.0)),
        ("do not fit x", lambda: rotary(ROWS, rotary_tables(2, 8))),
        ("multiple of four", lambda: nn.ConvNetConfig(size=6)),
        ("multiple of 8 groups", lambda: nn.UNetConfig(width=12)),
        ("points must be positive", lambda: nn.OperatorConfig(0)),
        ("x must have shape", lambda: nn.OperatorNet(nn.OperatorConfig(4), S)(ROWS)),
    ],
)
def test_wrong_arguments(message, make):
    with pytest.raises(ValueError, match=message):
        make()
