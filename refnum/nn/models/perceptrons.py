"""Perceptrons: stacks of linear layers, and the two that stand in transformers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from refnum.autograd import Stream, gelu, gelu_tanh, relu, silu, tanh
from refnum.nn.initializers import (
    FAN_IN,
    Initializer,
    Normal,
    child,
)
from refnum.nn.linear import Linear
from refnum.nn.module import Module, name_modules

__all__ = ["ACTIVATIONS", "MLP", "GeluMLP", "SwiGLU", "activation_of"]

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": relu,
    "silu": silu,
    "tanh": tanh,
}
"""What a configuration may name."""


def activation_of(name: str) -> Callable[[Any], Any]:
    """Return an activation function, or raise ValueError with the known names."""
    if name not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise ValueError(f"activation must be one of {known}, not {name!r}")
    return ACTIVATIONS[name]


class MLP(Module):
    """Linear layers with an activation function between them.

    Parameters
    ----------
    sizes : sequence of int
        Features before, between and after the layers.
    stream : Stream
        What weights are drawn from.
    activation : str
        Name of the function; see `ACTIVATIONS`.
    bias : bool
        Whether layers have a bias.
    initializer : Initializer
        Of the weights.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, or `activation` is unknown.

    Examples
    --------
    >>> from refnum.autograd import Stream, Tensor
    >>> from refnum.nn import MLP
    >>> MLP([3, 8, 2], Stream(0))(Tensor([[1.0, 2.0, 3.0]])).shape
    (1, 2)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        stream: Stream,
        *,
        activation: str = "relu",
        bias: bool = True,
        initializer: Initializer = FAN_IN,
    ) -> None:
        if len(sizes) < 2:
            raise ValueError(f"sizes must be two or more, not {list(sizes)}")
        self.activation = activation_of(activation)
        pairs = list(itertools.pairwise(sizes))
        self.layers = [
            Linear(
                inputs,
                outputs,
                child(stream, f"layers.{k}"),
                bias=bias,
                kind="head" if k == len(pairs) - 1 else "mlp",
                initializer=initializer,
            )
            for k, (inputs, outputs) in enumerate(pairs)
        ]
        name_modules(self)

    def __call__(self, x: Any) -> Any:
        """Return the last layer's result for x of shape (..., sizes[0])."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class GeluMLP(Module):
    """GPT-2's perceptron: up, GELU, down.

    Parameters
    ----------
    width, hidden : int
        Features of the residual stream, and between the layers.
    stream : Stream
        What weights are drawn from.
    activation : str
        Name of the function between the layers.
    bias : bool
        Whether layers have a bias.
    initializer, last : Initializer
        Of the weights of the first and of the last layer.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        stream: Stream,
        *,
        activation: str = "gelu_tanh",
        bias: bool = True,
        initializer: Initializer = Normal(),  # noqa: B008 frozen
        last: Initializer = Normal(),  # noqa: B008 frozen
    ) -> None:
        self.activation = activation_of(activation)
        self.up = Linear(
            width,
            hidden,
            child(stream, "up"),
            bias=bias,
            kind="mlp",
            initializer=initializer,
        )
        self.down = Linear(
            hidden,
            width,
            child(stream, "down"),
            bias=bias,
            kind="mlp",
            initializer=last,
        )

    def __call__(self, x: Any) -> Any:
        """Return ``down(activation(up(x)))``."""
        return self.down(self.activation(self.up(x)))


class SwiGLU(Module):
    """LLaMA's perceptron: a SiLU of one layer times another, down again.

    Parameters
    ----------
    width, hidden : int
        Features of the residual stream, and between the layers.
    stream : Stream
        What weights are drawn from.
    initializer, last : Initializer
        Of the weights of the first layers and of the last.

    References
    ----------
    Shazeer, "GLU variants improve transformer", 2020, arXiv:2002.05202.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        stream: Stream,
        *,
        initializer: Initializer = Normal(),  # noqa: B008 frozen
        last: Initializer = Normal(),  # noqa: B008 frozen
    ) -> None:
        def layer(name: str, inputs: int, outputs: int, start: Initializer) -> Linear:
            return Linear(
                inputs,
                outputs,
                child(stream, name),
                bias=False,
                kind="mlp",
                initializer=start,
            )

        self.gate = layer("gate", width, hidden, initializer)
        self.up = layer("up", width, hidden, initializer)
        self.down = layer("down", hidden, width, last)

    def __call__(self, x: Any) -> Any:
        """Return ``down(silu(gate(x)) * up(x))``."""
        return self.down(silu(self.gate(x)) * self.up(x))
