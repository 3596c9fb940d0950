"""The GPT of the training races in torch, with linear layers of one's choice."""

from collections.abc import Callable

import numpy as np
import torch
from races import Work
from torch.nn import functional as F

torch.set_num_threads(1)


def gpt(
    linear: Callable[[int, int], torch.nn.Module],
    *,
    vocabulary: int,
    context: int,
    width: int,
    heads: int,
    layers: int,
    rate: float,
) -> Work:
    """Return steps of a new model on a batch of tokens."""

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
            self.tokens = torch.nn.Embedding(vocabulary, width)
            self.positions = torch.nn.Parameter(0.02 * torch.randn(context, width))
            self.blocks = torch.nn.ModuleList(Block() for _ in range(layers))
            self.norm = torch.nn.LayerNorm(width)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            x = self.tokens(tokens) + self.positions[: tokens.shape[1]]
            for block in self.blocks:
                x = block(x)
            return F.linear(self.norm(x), self.tokens.weight)

    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), rate)

    def step(tokens: np.ndarray) -> object:
        wanted = torch.from_numpy(np.roll(tokens, -1, 1))
        optimizer.zero_grad(set_to_none=True)
        logits = model(torch.from_numpy(tokens))
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        loss.backward()
        optimizer.step()
        return loss

    return step
