"""Races of the gradient engine beside NumPy by hand, HIPS autograd and torch.

The input of the first race is a batch of rows, flat. In the second its length is the
number of small operations, each on one element: a speed of 100 is 10 microseconds each.

This module is not called `autograd`, as that is HIPS autograd's name.
"""

import itertools
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from races import Entry, Race, Work, normals

SIZES = (256, 512, 512, 64)
BATCH = 256
OPERATIONS = 100_000


def autograd(_: int) -> Iterator[Race]:
    entries = {
        "refnum": Entry(partial(perceptron, "FAST")),
        "by hand": Entry(by_hand),
        "reproducible": Entry(partial(perceptron, "REPRODUCIBLE")),
    }
    small = {"refnum": Entry(chain)}
    if find_spec("autograd"):
        entries["HIPS"] = Entry(hips)
        small["HIPS"] = Entry(hips_chain, 0.1)
    if find_spec("torch"):
        entries["torch"] = Entry(torch_perceptron)
        small["torch"] = Entry(torch_chain)
    rows = normals(BATCH * SIZES[0])
    yield Race("MLP, forward, backward", rows, entries, memory=False)
    operations = partial(np.zeros, OPERATIONS)
    yield Race("10^3 small operations", operations, small, False, weight=1000)


def parameters() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the weights and the biases."""
    rng = np.random.default_rng(1)
    weights = [
        rng.standard_normal(shape, dtype=np.float32) / np.float32(shape[0] ** 0.5)
        for shape in itertools.pairwise(SIZES)
    ]
    return weights, [np.zeros(w.shape[1], np.float32) for w in weights]


def perceptron(numerics: str) -> Work:
    from refnum import autograd as ag

    chosen = getattr(ag, numerics)
    ws, bs = ([ag.Tensor(p, True) for p in group] for group in parameters())

    def work(part: np.ndarray) -> object:
        with ag.use(chosen):
            h = ag.Tensor(part.reshape(-1, SIZES[0]))
            for w, b in zip(ws, bs, strict=True):
                h = h @ w + b
                if w is not ws[-1]:
                    h = ag.relu(h)
            return ag.gradients(h.mean(), ws + bs)

    return work


def by_hand() -> Work:
    weights, biases = parameters()

    def work(part: np.ndarray) -> object:
        inputs, h = [], part.reshape(-1, SIZES[0])
        for w, b in zip(weights, biases, strict=True):
            inputs.append(h)
            h = h @ w + b
            if w is not weights[-1]:
                h = np.maximum(h, 0)
        g = np.full(h.shape, 1 / h.size, np.float32)
        gradients = []
        for w, x in zip(weights[::-1], inputs[::-1], strict=True):
            gradients.append((x.T @ g, g.sum(0)))
            if x is not inputs[0]:
                g = (g @ w.T) * (x > 0)
        return gradients

    return work


def chain() -> Work:
    from refnum.autograd import FAST, Tensor, gradients, use

    def work(part: np.ndarray) -> object:
        x = Tensor(1.0, requires_grad=True)
        with use(FAST):
            y = x
            for _ in range(len(part) // 2):
                y = y * x + x
            return gradients(y, [x])

    return work


def hips() -> Work:
    import autograd.numpy as anp
    from autograd import grad

    weights, biases = parameters()
    layers = len(weights)

    def loss(parameters: list[np.ndarray], h: np.ndarray) -> object:
        pairs = zip(parameters[:layers], parameters[layers:], strict=True)
        for k, (w, b) in enumerate(pairs):
            h = anp.dot(h, w) + b
            if k < layers - 1:
                h = anp.maximum(h, 0)
        return anp.mean(h)

    slope = grad(loss)
    return lambda part: slope(weights + biases, part.reshape(-1, SIZES[0]))


def hips_chain() -> Work:
    from autograd import grad

    def work(part: np.ndarray) -> object:
        def f(x: object) -> object:
            y = x
            for _ in range(len(part) // 2):
                y = y * x + x
            return y

        return grad(f)(1.0)

    return work


def torch_perceptron() -> Work:
    import torch

    torch.set_num_threads(1)
    groups = ([torch.from_numpy(p) for p in group] for group in parameters())
    ws, bs = ([p.requires_grad_() for p in group] for group in groups)

    def work(part: np.ndarray) -> object:
        h = torch.from_numpy(part).reshape(-1, SIZES[0])
        for w, b in zip(ws, bs, strict=True):
            h = h @ w + b
            if w is not ws[-1]:
                h = torch.relu(h)
        return torch.autograd.grad(h.mean(), ws + bs)

    return work


def torch_chain() -> Work:
    import torch

    torch.set_num_threads(1)

    def work(part: np.ndarray) -> object:
        x = torch.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(len(part) // 2):
            y = y * x + x
        return torch.autograd.grad(y, x)

    return work
