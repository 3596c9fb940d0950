"""GPT-2: learned positions, layer normalisation before each branch, GELU.

References
----------
Radford et al., "Language models are unsupervised multitask learners", 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream
from refnum.nn.initializers import Normal, child
from refnum.nn.layers import Embedding, LayerNorm, positive
from refnum.nn.linear import Linear
from refnum.nn.models.attention import CausalAttention
from refnum.nn.models.perceptrons import GeluMLP, activation_of
from refnum.nn.module import Module, name_modules

__all__ = ["GPT2", "GPT2Block", "GPT2Config", "as_tokens"]


@dataclass(frozen=True)
class GPT2Config:
    """Sizes and choices of a GPT-2.

    Parameters
    ----------
    vocabulary : int
        Number of tokens.
    context : int
        Most positions of a sequence.
    width, heads, layers : int
        Features of the residual stream, attention heads, and blocks.
    hidden : int, optional
        Features inside each perceptron; by default ``4 * width``.
    tied : bool
        Whether the head's weight is the token embedding.
    bias : bool
        Whether linear layers (but the head, which has none) and normalisations do.
    activation : str
        Of the perceptrons.
    epsilon : float
        Of the normalisations.
    std : float
        Deviation of initial weights; the last layer of each residual branch has
        ``std / sqrt(2 * layers)``.

    Raises
    ------
    ValueError
        If a size is not positive, heads do not divide the width, or `activation` is
        unknown.
    """

    vocabulary: int
    context: int
    width: int
    heads: int
    layers: int
    hidden: int | None = None
    tied: bool = True
    bias: bool = True
    activation: str = "gelu_tanh"
    epsilon: float = 1e-5
    std: float = 0.02

    def __post_init__(self) -> None:
        names = ("vocabulary", "context", "width", "heads", "layers")
        positive(**{name: getattr(self, name) for name in names})
        positive(hidden=4 * self.width if self.hidden is None else self.hidden)
        activation_of(self.activation)
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the width {self.width}")


class GPT2Block(Module):
    """Attention, then a perceptron, each added to the residual stream.

    Parameters
    ----------
    config : GPT2Config
        Of the model.
    stream : Stream
        What weights are drawn from.
    """

    def __init__(self, config: GPT2Config, stream: Stream) -> None:
        width, bias = config.width, config.bias
        first = Normal(config.std)
        last = Normal(config.std / math.sqrt(2 * config.layers))
        self.attention_norm = LayerNorm(width, bias=bias, epsilon=config.epsilon)
        self.attention = CausalAttention(
            width,
            config.heads,
            child(stream, "attention"),
            bias=bias,
            initializer=first,
            last=last,
        )
        self.mlp_norm = LayerNorm(width, bias=bias, epsilon=config.epsilon)
        self.mlp = GeluMLP(
            width,
            config.hidden or 4 * width,
            child(stream, "mlp"),
            activation=config.activation,
            bias=bias,
            initializer=first,
            last=last,
        )

    def __call__(self, x: Any) -> Any:
        """Return the residual stream of shape (N, T, width) after the block."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class GPT2(Module):
    """The whole model.

    Parameters
    ----------
    config : GPT2Config
        Sizes and choices.
    stream : Stream
        What weights are drawn from.

    Examples
    --------
    >>> from refnum.autograd import FAST, Stream, use
    >>> from refnum.nn import GPT2, GPT2Config
    >>> config = GPT2Config(vocabulary=7, context=8, width=8, heads=2, layers=1)
    >>> with use(FAST):
    ...     GPT2(config, Stream(0))([[1, 2, 3]]).shape
    (1, 3, 7)
    """

    def __init__(self, config: GPT2Config, stream: Stream) -> None:
        self.config = config
        vocabulary, width = config.vocabulary, config.width
        start = Normal(config.std)
        self.tokens = Embedding(
            vocabulary, width, child(stream, "tokens"), initializer=start
        )
        self.positions = Embedding(
            config.context, width, child(stream, "positions"), initializer=start
        )
        self.blocks = [
            GPT2Block(config, child(stream, f"blocks.{k}"))
            for k in range(config.layers)
        ]
        self.norm = LayerNorm(width, bias=config.bias, epsilon=config.epsilon)
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
        known = as_tokens(tokens, self.config.context)
        x = self.tokens(known) + self.positions.weight[: known.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def as_tokens(tokens: npt.ArrayLike, context: int) -> npt.NDArray[Any]:
    """Return sequences as an array, or raise ValueError with the shape allowed."""
    array = np.asarray(tokens)
    if array.ndim != 2 or not 1 <= array.shape[1] <= context:
        raise ValueError(
            f"tokens must have shape (N, T) with T from 1 to {context}, "
            f"not {array.shape}"
        )
    return array
