"""Races of whole training steps: a character GPT beside the same model in torch.

The input is a batch of windows of tokens; a speed of 10 is 10 000 tokens a second.
Entries keep their models, so that each turn is a few more steps of the same training;
threads have models of their own.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from races import Entry, Race, Work

SIZES = {"vocabulary": 96, "context": 128, "width": 128, "heads": 4, "layers": 2}
BATCH = 16
RATE = 1e-3
STEPS = 2  # timed together


def train(_: int) -> Iterator[Race]:
    entries = {
        "refnum": Entry(partial(training, gpt)),
        "reproducible": Entry(partial(training, partial(gpt, "REPRODUCIBLE"))),
    }
    if find_spec("torch"):
        entries["torch"] = Entry(torch_float32)
    yield Race("GPT-2, 2 layers", tokens, entries, False, weight=1000 * STEPS)
    entries = {
        "refnum": Entry(partial(training, partial(gpt, recipe="mxfp4"))),
        "float32": Entry(partial(training, gpt)),
    }
    if find_spec("torch"):
        entries["unfused"] = Entry(torch_unfused)
        entries["microxcaling"] = Entry(torch_microxcaling)
        entries["compiled"] = Entry(torch_compiled)
    if find_spec("mx"):
        entries["mx"] = Entry(torch_mx)
    yield Race("MXFP4 in all six roles", tokens, entries, False, weight=1000 * STEPS)


def tokens() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(SIZES["vocabulary"], size=BATCH * SIZES["context"])


def training(make: Callable[[], Work]) -> Work:
    """Steps of whichever model is free, or of a new one."""
    free: list[Work] = []

    def work(part: np.ndarray) -> object:
        step = free.pop() if free else make()
        for _ in range(STEPS):
            result = step(part.reshape(-1, SIZES["context"]))
        free.append(step)
        return result

    return work


def gpt(numerics: str = "FAST", recipe: str | None = None) -> Work:
    from refnum import autograd, nn

    model = nn.GPT2(nn.GPT2Config(**SIZES), autograd.Stream(0))
    found = nn.parameters(model)
    optimizer = nn.AdamW(found)
    quantization = nn.quantize_model(model, recipe, 0) if recipe else None

    def step(tokens: np.ndarray) -> object:
        if quantization is not None:
            quantization.begin(quantization.step + 1)
        with autograd.use(getattr(autograd, numerics)):
            loss = autograd.cross_entropy(model(tokens), np.roll(tokens, -1, 1))
            optimizer.step(nn.gradients_of(loss, found), RATE)
        return loss

    return step


def torch_gpt(linear: Callable) -> Work:
    """Steps of the same model in torch, with these linear layers."""
    import gpt_torch

    return training(partial(gpt_torch.gpt, linear, **SIZES, rate=RATE))


def torch_float32() -> Work:
    import torch

    return torch_gpt(torch.nn.Linear)


def torch_unfused() -> Work:
    """Return microxcaling's layers, operation by operation as its code has them."""
    from microxcaling_torch import quantized
    from mxfp4_torch import mxfp4_linear

    return torch_gpt(mxfp4_linear(quantized))


def torch_microxcaling() -> Work:
    """Return its rule in as few operations as it takes, in all six roles."""
    from blocks_torch import fused, microxcaling
    from mxfp4_torch import along, mxfp4_linear

    return torch_gpt(mxfp4_linear(along(fused(microxcaling))))


def torch_compiled() -> Work:
    """Return the same, compiled."""
    import torch
    from blocks_torch import fused, microxcaling
    from mxfp4_torch import along, mxfp4_linear

    compiled = torch.compile(
        fused(microxcaling),
        dynamic=False,
        recompile_limit=64,  # for each shape of an operand one kernel
    )
    return torch_gpt(mxfp4_linear(along(compiled)))


def torch_mx() -> Work:
    """Return the linear layers of its package."""
    from mxfp4_torch import shipped_linear

    return torch_gpt(shipped_linear())
