"""Races of whole training steps: a character GPT beside the same model in torch.

The input is a batch of windows of tokens; a speed of 10 is 10 000 tokens a second.
Entries keep their models, so that each call is one more step of the same training;
threads have models of their own.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
from run import Entry, Race

from refnum.autograd import FAST, REPRODUCIBLE, Numerics, Stream, cross_entropy, use
from refnum.nn import (
    GPT2,
    AdamW,
    GPT2Config,
    gradients_of,
    parameters,
    quantize_model,
)

CONFIG = GPT2Config(vocabulary=96, context=128, width=128, heads=4, layers=2)
BATCH = 16
RATE = 1e-3


def train(_: int) -> Iterator[Race]:
    rng = np.random.default_rng(0)
    tokens = rng.integers(CONFIG.vocabulary, size=BATCH * CONFIG.context)
    entries = {
        "refnum": training(lambda: gpt(FAST)),
        "reproducible": training(lambda: gpt(REPRODUCIBLE)),
        **torch_gpt(),
    }
    yield Race("GPT-2, 2 layers", tokens, entries, False, weight=1000)
    entries = {
        "refnum": training(lambda: gpt(FAST, "mxfp4")),
        "float32": training(lambda: gpt(FAST)),
        **torch_mxfp4(),
    }
    yield Race("MXFP4 in all six roles", tokens, entries, False, weight=1000)


def training(make: Callable[[], Callable[[np.ndarray], object]]) -> Entry:
    """Steps of whichever model is free, or of a new one."""
    free: list[Callable[[np.ndarray], object]] = []

    def work(part: np.ndarray) -> object:
        step = free.pop() if free else make()
        result = step(part.reshape(-1, CONFIG.context))
        free.append(step)
        return result

    return Entry(work)


def gpt(
    numerics: Numerics, recipe: str | None = None
) -> Callable[[np.ndarray], object]:
    model = GPT2(CONFIG, Stream(0))
    found = parameters(model)
    optimizer = AdamW(found)
    quantization = quantize_model(model, recipe, 0) if recipe else None

    def step(tokens: np.ndarray) -> object:
        if quantization is not None:
            quantization.begin(quantization.step + 1)
        with use(numerics):
            loss = cross_entropy(model(tokens), np.roll(tokens, -1, 1))
            optimizer.step(gradients_of(loss, found), RATE)
        return loss

    return step


def torch_gpt() -> dict[str, Entry]:
    if find_spec("torch") is None:
        return {}
    import torch

    return {"torch": torch_training(torch.nn.Linear)}


def torch_mxfp4() -> dict[str, Entry]:
    """microxcaling in all six roles: its quantiser as `blocks` writes it out, and its
    own linear layer where its package can be imported.
    """
    if find_spec("torch") is None:
        return {}
    import torch
    from blocks import fused, microxcaling
    from mxfp4_torch import mxfp4_linear, shipped_linear

    torch._dynamo.config.recompile_limit = 64  # one for each shape of an operand
    eager = fused(microxcaling)
    compiled = torch.compile(eager, dynamic=False)
    entries = {
        "microxcaling": torch_training(mxfp4_linear(eager)),
        "compiled": torch_training(mxfp4_linear(compiled)),
    }
    if find_spec("mx"):
        entries["mx"] = torch_training(shipped_linear())
    return entries


def torch_training(linear: Callable) -> Entry:
    """Steps of the same model in torch, with these linear layers."""
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(1)
    width, heads = CONFIG.width, CONFIG.heads

    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norms = torch.nn.ModuleList(
                torch.nn.LayerNorm(width) for _ in range(2)
            )
            self.qkv = linear(width, 3 * width)
            self.output = linear(width, width)
            self.up = linear(width, 4 * width)
            self.down = linear(4 * width, width)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            n, t, _ = x.shape
            parts = self.qkv(self.norms[0](x)).split(width, 2)
            q, k, v = (p.view(n, t, heads, -1).transpose(1, 2) for p in parts)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.output(mixed.transpose(1, 2).reshape(n, t, width))
            hidden = F.gelu(self.up(self.norms[1](x)), approximate="tanh")
            return x + self.down(hidden)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = torch.nn.Embedding(CONFIG.vocabulary, width)
            self.positions = torch.nn.Parameter(0.02 * torch.randn(128, width))
            self.blocks = torch.nn.ModuleList(Block() for _ in range(CONFIG.layers))
            self.norm = torch.nn.LayerNorm(width)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            x = self.tokens(tokens) + self.positions[: tokens.shape[1]]
            for block in self.blocks:
                x = block(x)
            return F.linear(self.norm(x), self.tokens.weight)

    def make() -> Callable[[np.ndarray], object]:
        model = Model()
        optimizer = torch.optim.AdamW(model.parameters(), RATE)

        def step(tokens: np.ndarray) -> object:
            wanted = torch.from_numpy(np.roll(tokens, -1, 1))
            optimizer.zero_grad(set_to_none=True)
            logits = model(torch.from_numpy(tokens))
            loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
            loss.backward()
            optimizer.step()
            return loss

        return step

    return training(make)
