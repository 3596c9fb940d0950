"""`OperatorNet`: a network from functions on a circle to functions on it.

A function is given by its values at equidistant points. Each block mixes, by a linear
layer, the features of points at a few distances, which double from block to block until
they reach around the circle; a second linear layer follows after GELU. Turning the
input along the circle turns the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refnum.autograd import Operation, Stream, gelu_tanh, reshape
from refnum.nn.initializers import child
from refnum.nn.layers import positive
from refnum.nn.linear import Linear
from refnum.nn.module import Module, name_modules

__all__ = ["OperatorBlock", "OperatorConfig", "OperatorNet"]

_REACH = 2  # neighbours on each side


@dataclass(frozen=True)
class OperatorConfig:
    """Sizes of an OperatorNet.

    Parameters
    ----------
    points : int
        Of a function.
    width, layers : int
        Features of a point, and blocks.

    Raises
    ------
    ValueError
        If a size is not positive.
    """

    points: int
    width: int = 32
    layers: int = 4

    def __post_init__(self) -> None:
        positive(points=self.points, width=self.width, layers=self.layers)


def _gather(x: Any, shifts: tuple[int, ...]) -> Any:
    """Return (N, P, shifts * C): the features of neighbours, one after another."""
    return np.concatenate([np.roll(x, -shift, 1) for shift in shifts], axis=-1)


def _gather_vjp(g: Any, shifts: tuple[int, ...]) -> Any:
    parts = np.split(g, len(shifts), axis=-1)
    total = np.roll(parts[0], shifts[0], 1)
    for part, shift in zip(parts[1:], shifts[1:], strict=True):
        total += np.roll(part, shift, 1)
    return total


_neighbours = Operation(
    "neighbours", _gather, "x", "shifts", x=_gather_vjp, twice=False
)


class OperatorBlock(Module):
    """Neighbours mixed, GELU, and another linear layer, added to the features.

    Parameters
    ----------
    width : int
        Features of a point.
    distance : int
        Points from one neighbour to the next.
    stream : Stream
        What weights are drawn from.
    """

    def __init__(self, width: int, distance: int, stream: Stream) -> None:
        steps = range(-_REACH, _REACH + 1)
        self.shifts = tuple(step * distance for step in steps)
        self.mix = Linear(
            len(self.shifts) * width, width, child(stream, "mix"), kind="mlp"
        )
        self.out = Linear(width, width, child(stream, "out"), kind="mlp")

    def __call__(self, x: Any) -> Any:
        """Return features of shape (N, P, width)."""
        return x + self.out(gelu_tanh(self.mix(_neighbours(x, self.shifts))))


class OperatorNet(Module):
    """The whole network.

    Parameters
    ----------
    config : OperatorConfig
        Sizes.
    stream : Stream
        What weights are drawn from.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.autograd import FAST, Stream, Tensor, use
    >>> from refnum.nn import OperatorConfig, OperatorNet
    >>> with use(FAST):
    ...     OperatorNet(OperatorConfig(16), Stream(0))(Tensor(np.ones((2, 16)), dtype=np.float32)).shape
    (2, 16)
    """

    def __init__(self, config: OperatorConfig, stream: Stream) -> None:
        self.config = config
        self.first = Linear(1, config.width, child(stream, "first"))
        self.blocks = [
            OperatorBlock(
                config.width,
                _distance(k, config.points),
                child(stream, f"blocks.{k}"),
            )
            for k in range(config.layers)
        ]
        self.head = Linear(config.width, 1, child(stream, "head"), kind="head")
        name_modules(self)

    def __call__(self, x: Any) -> Any:
        """Return functions of shape (N, points) for functions of that shape."""
        if x.ndim != 2 or x.shape[1] != self.config.points:
            raise ValueError(
                f"x must have shape (N, {self.config.points}), not {x.shape}"
            )
        h = self.first(reshape(x, (*x.shape, 1)))
        for block in self.blocks:
            h = block(h)
        return x + reshape(self.head(h), x.shape)


def _distance(k: int, points: int) -> int:
    """Return 1, 2, 4, …, beginning again where neighbours would meet on the far side."""
    distances = [1]
    while 2 * _REACH * 2 * distances[-1] < points:
        distances.append(2 * distances[-1])
    return distances[k % len(distances)]
