"""LLaMA: rotary positions, RMS normalisation before each branch, SwiGLU, no biases.

References
----------
Touvron et al., "LLaMA: open and efficient foundation language models", 2023,
arXiv:2302.13971.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from refnum.autograd import Stream
from refnum.nn.initializers import Normal, child
from refnum.nn.layers import Embedding, RMSNorm, positive
from refnum.nn.linear import Linear
from refnum.nn.models.attention import CausalAttention
from refnum.nn.models.gpt2 import as_tokens
from refnum.nn.models.perceptrons import SwiGLU
from refnum.nn.module import Module, name_modules

__all__ = ["Llama", "LlamaBlock", "LlamaConfig"]


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes and choices of a LLaMA.

    Parameters
    ----------
    vocabulary : int
        Number of tokens.
    context : int
        Most positions of a sequence.
    width, heads, layers : int
        Features of the residual stream, attention heads, and blocks.
    key_heads : int, optional
        Heads of keys and values; by default `heads`.
    hidden : int, optional
        Features inside each perceptron; by default ``8 / 3 * width``, rounded up to a
        multiple of 32.
    tied : bool
        Whether the head's weight is the token embedding.
    base : float
        Of the rotary angles.
    epsilon : float
        Of the normalisations.
    std : float
        Deviation of initial weights; the last layer of each residual branch has
        ``std / sqrt(2 * layers)``.

    Raises
    ------
    ValueError
        If a size is not positive, heads do not divide the width or key heads the
        heads, or a head has an odd number of features.
    """

    vocabulary: int
    context: int
    width: int
    heads: int
    layers: int
    key_heads: int | None = None
    hidden: int | None = None
    tied: bool = False
    base: float = 10000.0
    epsilon: float = 1e-5
    std: float = 0.02

    def __post_init__(self) -> None:
        names = ("vocabulary", "context", "width", "heads", "layers")
        positive(**{name: getattr(self, name) for name in names})
        shared = self.heads if self.key_heads is None else self.key_heads
        positive(key_heads=shared, hidden=self.inner)
        if self.width % self.heads or self.heads % shared:
            raise ValueError(
                f"width {self.width}, {self.heads} heads and {shared} key heads "
                "do not divide"
            )
        if self.width // self.heads % 2:
            raise ValueError(
                f"rotary positions need an even size, not {self.width // self.heads}"
            )

    @property
    def inner(self) -> int:
        """Features inside each perceptron."""
        if self.hidden is not None:
            return self.hidden
        return 32 * -(-8 * self.width // 96)


class LlamaBlock(Module):
    """Attention, then a perceptron, each added to the residual stream.

    Parameters
    ----------
    config : LlamaConfig
        Of the model.
    stream : Stream
        What weights are drawn from.
    """

    def __init__(self, config: LlamaConfig, stream: Stream) -> None:
        first = Normal(config.std)
        last = Normal(config.std / math.sqrt(2 * config.layers))
        self.attention_norm = RMSNorm(config.width, epsilon=config.epsilon)
        self.attention = CausalAttention(
            config.width,
            config.heads,
            child(stream, "attention"),
            key_heads=config.key_heads,
            bias=False,
            positions=config.context,
            base=config.base,
            initializer=first,
            last=last,
        )
        self.mlp_norm = RMSNorm(config.width, epsilon=config.epsilon)
        self.mlp = SwiGLU(
            config.width,
            config.inner,
            child(stream, "mlp"),
            initializer=first,
            last=last,
        )

    def __call__(self, x: Any) -> Any:
        """Return the residual stream of shape (N, T, width) after the block."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class Llama(Module):
    """The whole model.

    Parameters
    ----------
    config : LlamaConfig
        Sizes and choices.
    stream : Stream
        What weights are drawn from.

    Examples
    --------
    >>> from refnum.autograd import FAST, Stream, use
    >>> from refnum.nn import Llama, LlamaConfig
    >>> config = LlamaConfig(vocabulary=7, context=8, width=8, heads=2, layers=1)
    >>> with use(FAST):
    ...     Llama(config, Stream(0))([[1, 2, 3]]).shape
    (1, 3, 7)
    """

    def __init__(self, config: LlamaConfig, stream: Stream) -> None:
        self.config = config
        vocabulary, width = config.vocabulary, config.width
        start = Normal(config.std)
        self.tokens = Embedding(
            vocabulary, width, child(stream, "tokens"), initializer=start
        )
        self.blocks = [
            LlamaBlock(config, child(stream, f"blocks.{k}"))
            for k in range(config.layers)
        ]
        self.norm = RMSNorm(width, epsilon=config.epsilon)
        self.head = Linear(
            width,
            vocabulary,
            child(stream, "head"),
            bias=False,
            kind="head",
            initializer=start,
            weight=self.tokens.weight if config.tied else None,
        )
        name_modules(self)

    def __call__(self, tokens: npt.ArrayLike) -> Any:
        """Return logits of shape (N, T, vocabulary) for integers of shape (N, T)."""
        x = self.tokens(as_tokens(tokens, self.config.context))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
