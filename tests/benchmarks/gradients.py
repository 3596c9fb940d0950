"""Races of the gradient engine beside NumPy by hand, HIPS autograd and torch.

The input of the first race is a batch of rows, flat. In the second its length is the
number of small operations, each on one element: a speed of 100 is 10 microseconds each.

This module is not called `autograd`, as that is HIPS autograd's name.
"""

import itertools
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
from run import Entry, Race

from refnum import autograd as ag
from refnum.autograd import FAST, REPRODUCIBLE, Numerics, Tensor, use

SIZES = (256, 512, 512, 64)
BATCH = 256
OPERATIONS = 100_000


def autograd(_: int) -> Iterator[Race]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(BATCH * SIZES[0], dtype=np.float32)
    weights = [
        rng.standard_normal(shape, dtype=np.float32) / np.float32(shape[0] ** 0.5)
        for shape in itertools.pairwise(SIZES)
    ]
    biases = [np.zeros(w.shape[1], np.float32) for w in weights]
    entries = {
        "refnum": Entry(perceptron(weights, biases, FAST)),
        "by hand": Entry(by_hand(weights, biases)),
        "reproducible": Entry(perceptron(weights, biases, REPRODUCIBLE)),
        **hips(weights, biases),
        **torch_perceptron(weights, biases),
    }
    yield Race("MLP, forward, backward", x, entries, memory=False)
    small = {"refnum": Entry(chain), **hips_chain(), **torch_chain()}
    yield Race("10^3 small operations", np.zeros(OPERATIONS), small, False, weight=1000)


def perceptron(
    weights: list[np.ndarray], biases: list[np.ndarray], numerics: Numerics
) -> Callable[[np.ndarray], object]:
    ws, bs = ([Tensor(p, True) for p in group] for group in (weights, biases))

    def work(part: np.ndarray) -> object:
        with use(numerics):
            h = Tensor(part.reshape(-1, SIZES[0]))
            for w, b in zip(ws, bs, strict=True):
                h = h @ w + b
                if w is not ws[-1]:
                    h = ag.relu(h)
            return ag.gradients(h.mean(), ws + bs)

    return work


def by_hand(
    weights: list[np.ndarray], biases: list[np.ndarray]
) -> Callable[[np.ndarray], object]:
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


def chain(part: np.ndarray) -> object:
    x = Tensor(1.0, requires_grad=True)
    with use(FAST):
        y = x
        for _ in range(len(part) // 2):
            y = y * x + x
        return ag.gradients(y, [x])


def hips(weights: list[np.ndarray], biases: list[np.ndarray]) -> dict[str, Entry]:
    if find_spec("autograd") is None:
        return {}
    import autograd.numpy as anp
    from autograd import grad

    def loss(parameters: list[np.ndarray], h: np.ndarray) -> object:
        layers = len(parameters) // 2
        for k, (w, b) in enumerate(
            zip(parameters[:layers], parameters[layers:], strict=True)
        ):
            h = anp.dot(h, w) + b
            if k < layers - 1:
                h = anp.maximum(h, 0)
        return anp.mean(h)

    slope = grad(loss)
    return {"HIPS": Entry(lambda p: slope(weights + biases, p.reshape(-1, SIZES[0])))}


def hips_chain() -> dict[str, Entry]:
    if find_spec("autograd") is None:
        return {}
    from autograd import grad

    def work(part: np.ndarray) -> object:
        def f(x: object) -> object:
            y = x
            for _ in range(len(part) // 2):
                y = y * x + x
            return y

        return grad(f)(1.0)

    return {"HIPS": Entry(work, share=0.1)}


def torch_perceptron(
    weights: list[np.ndarray], biases: list[np.ndarray]
) -> dict[str, Entry]:
    if find_spec("torch") is None:
        return {}
    import torch

    torch.set_num_threads(1)
    groups = ([torch.from_numpy(p) for p in group] for group in (weights, biases))
    ws, bs = ([p.requires_grad_() for p in group] for group in groups)

    def work(part: np.ndarray) -> object:
        h = torch.from_numpy(part).reshape(-1, SIZES[0])
        for w, b in zip(ws, bs, strict=True):
            h = h @ w + b
            if w is not ws[-1]:
                h = torch.relu(h)
        return torch.autograd.grad(h.mean(), ws + bs)

    return {"torch": Entry(work)}


def torch_chain() -> dict[str, Entry]:
    if find_spec("torch") is None:
        return {}
    import torch

    def work(part: np.ndarray) -> object:
        x = torch.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(len(part) // 2):
            y = y * x + x
        return torch.autograd.grad(y, x)

    return {"torch": Entry(work)}
