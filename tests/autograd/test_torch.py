"""Values and VJPs beside torch's, in float64, over shapes, strides and broadcasting."""

import numpy as np
import pytest

from refnum import autograd as ag
from refnum.autograd import Tensor

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(11)

ARRAYS = {  # empty, of one element, strided, backwards, broadcast
    "plain": RNG.standard_normal((3, 4)),
    "size one": RNG.standard_normal((1, 4, 1)),
    "empty": np.zeros((0, 4)),
    "strided": RNG.standard_normal((6, 8))[::2, 1::2],
    "backwards": RNG.standard_normal((4, 3)).T[::-1],
    "repeated": np.broadcast_to(RNG.standard_normal((3, 1)), (3, 4)),
    "scalar": np.array(0.7),
}
UNARY = {
    name: (getattr(ag, name), getattr(torch, name))
    for name in ("exp", "expm1", "sin", "cos", "tanh", "erf", "sigmoid", "relu")
} | {
    "silu": (ag.silu, F.silu),
    "gelu": (ag.gelu, F.gelu),
    "gelu_tanh": (ag.gelu_tanh, lambda x: F.gelu(x, approximate="tanh")),
    "abs": (ag.abs, torch.abs),
    "clip": (lambda x: ag.clip(x, -0.5, 0.5), lambda x: x.clamp(-0.5, 0.5)),
    "power": (lambda x: x**3, lambda x: x**3),
    "where": (
        lambda x: ag.where(x > 0, x, -2 * x),
        lambda x: torch.where(x > 0, x, -2 * x),
    ),
    "sqrt": (lambda x: ag.sqrt(x * x + 1), lambda x: torch.sqrt(x * x + 1)),
    "rsqrt": (lambda x: ag.rsqrt(x * x + 1), lambda x: torch.rsqrt(x * x + 1)),
    "log": (lambda x: ag.log(x * x + 1), lambda x: torch.log(x * x + 1)),
    "log1p": (lambda x: ag.log1p(x * x), lambda x: torch.log1p(x * x)),
    "sum": (ag.sum, torch.sum),
}
LAST = {
    "sum": (lambda x: ag.sum(x, -1), lambda x: x.sum(-1)),
    "mean": (lambda x: ag.mean(x, -1), lambda x: x.mean(-1)),
    "max": (lambda x: ag.max(x, -1), lambda x: x.amax(-1)),
    "min": (lambda x: ag.min(x, -1), lambda x: x.amin(-1)),
    "var": (lambda x: ag.var(x, -1), lambda x: x.var(-1, correction=0)),
    "softmax": (ag.softmax, lambda x: F.softmax(x, -1)),
    "log_softmax": (ag.log_softmax, lambda x: F.log_softmax(x, -1)),
    "logsumexp": (ag.logsumexp, lambda x: torch.logsumexp(x, -1)),
    "layer_norm": (ag.layer_norm, lambda x: F.layer_norm(x, x.shape[-1:])),
    "rms_norm": (ag.rms_norm, lambda x: F.rms_norm(x, x.shape[-1:], eps=1e-6)),
}
BINARY = {
    "add": (ag.add, torch.add),
    "subtract": (ag.subtract, torch.sub),
    "multiply": (ag.multiply, torch.mul),
    "divide": (ag.divide, torch.div),
    "maximum": (ag.maximum, torch.maximum),
    "minimum": (ag.minimum, torch.minimum),
}
BROADCAST = [
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((), (2, 2)),
    ((0, 3), (3,)),
    ((1,), (5,)),
]
ROWS = np.array([2, 0, 2, 1])
OTHER = {
    "matmul": (ag.matmul, torch.matmul, [(2, 3), (3, 4)]),
    "batched": (ag.matmul, torch.matmul, [(5, 1, 2, 3), (4, 3, 2)]),
    "flattened": (ag.matmul, torch.matmul, [(5, 2, 3), (3, 2)]),
    "vectors": (ag.matmul, torch.matmul, [(3,), (3,)]),
    "no depth": (ag.matmul, torch.matmul, [(2, 0), (0, 3)]),
    "linear": (ag.linear, F.linear, [(2, 3, 4), (5, 4), (5,)]),
    "transpose": (
        lambda x: x.transpose(2, 0, 1),
        lambda x: x.permute(2, 0, 1),
        [(2, 3, 4)],
    ),
    "reshape": (lambda x: x.T.reshape(-1), lambda x: x.T.reshape(-1), [(2, 3)]),
    "slice": (lambda x: x[1:, None, ::2], lambda x: x[1:, None, ::2], [(3, 5)]),
    "rows": (lambda x: x[ROWS], lambda x: x[ROWS], [(3, 2)]),
    "gather": (
        lambda x: ag.take_along_axis(x, ROWS[:, None], 1),
        lambda x: torch.gather(x, 1, torch.tensor(ROWS)[:, None]),
        [(4, 3)],
    ),
    "scatter_add": (
        lambda x, y: ag.scatter_add(x, ROWS[None], y, 1),
        lambda x, y: x.scatter_add(1, torch.tensor(ROWS)[None], y),
        [(1, 3), (1, 4)],
    ),
    "embedding": (
        lambda w: ag.embedding(w, ROWS),
        lambda w: F.embedding(torch.tensor(ROWS), w),
        [(3, 2)],
    ),
    "concatenate": (
        lambda x, y: ag.concatenate([x, y], 1),
        lambda x, y: torch.cat([x, y], 1),
        [(2, 3), (2, 1)],
    ),
    "split": (lambda x: ag.split(x, 3)[1], lambda x: torch.split(x, 2)[1], [(6, 2)]),
    "pad": (
        lambda x: ag.pad(x, [(1, 0), (0, 2)]),
        lambda x: F.pad(x, (0, 2, 1, 0)),
        [(2, 3)],
    ),
    "cross_entropy": (
        lambda x: ag.cross_entropy(x, ROWS),
        lambda x: F.cross_entropy(x, torch.tensor(ROWS)),
        [(4, 3)],
    ),
    "attention": (
        lambda q, k, v: ag.attention(q, k, v, causal=True),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        [(2, 5, 4), (2, 5, 4), (2, 5, 3)],
    ),
    "batch_norm": (
        ag.batch_norm,
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        [(2, 3, 4, 2), (3,), (3,)],
    ),
    "group_norm": (
        lambda x, w, b: ag.group_norm(x, 2, w, b),
        lambda x, w, b: F.group_norm(x, 2, w, b),
        [(2, 4, 3, 2), (4,), (4,)],
    ),
    "conv2d": (
        lambda x, w, b: ag.conv2d(x, w, b, stride=2, padding=1, groups=2),
        lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1, groups=2),
        [(2, 4, 7, 6), (6, 2, 3, 3), (6,)],
    ),
    "dilated": (
        lambda x, w: ag.conv2d(x, w, dilation=(2, 1)),
        lambda x, w: F.conv2d(x, w, dilation=(2, 1)),
        [(1, 2, 7, 6), (3, 2, 3, 2)],
    ),
    "max_pool2d": (
        lambda x: ag.max_pool2d(x, 3, 2, 1),
        lambda x: F.max_pool2d(x, 3, 2, 1),
        [(2, 2, 6, 5)],
    ),
    "avg_pool2d": (
        lambda x: ag.avg_pool2d(x, 3, 2, 1),
        lambda x: F.avg_pool2d(x, 3, 2, 1),
        [(2, 2, 6, 5)],
    ),
    "upsample2d": (
        lambda x: ag.upsample2d(x, 2),
        lambda x: F.interpolate(x, scale_factor=2),
        [(1, 2, 2, 3)],
    ),
    "bilinear": (
        lambda x: ag.upsample2d(x, (3, 2), "bilinear"),
        lambda x: F.interpolate(x, scale_factor=(3, 2), mode="bilinear"),
        [(2, 2, 4, 3)],
    ),
    "bilinear, one pixel": (
        lambda x: ag.upsample2d(x, (1, 4), "bilinear"),
        lambda x: F.interpolate(x, scale_factor=(1, 4), mode="bilinear"),
        [(1, 2, 3, 1)],
    ),
}


def compare(ours, theirs, arrays):
    tensors = [Tensor(x, requires_grad=True) for x in arrays]
    peers = [torch.tensor(np.array(x), requires_grad=True) for x in arrays]
    out, expected = ours(*tensors), theirs(*peers)
    close(out.data, expected.detach().numpy())
    start = RNG.standard_normal(out.shape)
    out.backward(start)
    expected.backward(torch.tensor(start))
    for tensor, peer in zip(tensors, peers, strict=True):
        close(tensor.grad, peer.grad.numpy())


def close(actual, expected):
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("name", UNARY)
def test_unary(name, array):
    compare(*UNARY[name], [ARRAYS[array]])


# torch warns of variances of nothing where there are no rows at all.
@pytest.mark.filterwarnings("ignore:var.*degrees of freedom:UserWarning")
@pytest.mark.parametrize("array", [name for name in ARRAYS if name != "scalar"])
@pytest.mark.parametrize("name", LAST)
def test_last_axis(name, array):
    compare(*LAST[name], [ARRAYS[array]])


@pytest.mark.parametrize("shapes", BROADCAST, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_broadcasting(name, shapes):
    arrays = [RNG.standard_normal(shape) for shape in shapes]
    compare(*BINARY[name], arrays)
    compare(*BINARY[name], arrays[::-1])


@pytest.mark.parametrize("name", OTHER)
def test_others(name):
    ours, theirs, shapes = OTHER[name]
    compare(ours, theirs, [RNG.standard_normal(shape) for shape in shapes])
