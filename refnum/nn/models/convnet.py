"""`ConvNet`: a small convolutional classifier of small images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from refnum.autograd import Stream, max_pool2d, relu, reshape
from refnum.nn.initializers import KaimingUniform, child
from refnum.nn.layers import Conv2d, positive
from refnum.nn.linear import Linear
from refnum.nn.module import Module, name_modules

__all__ = ["ConvNet", "ConvNetConfig"]


@dataclass(frozen=True)
class ConvNetConfig:
    """Sizes of a ConvNet.

    Parameters
    ----------
    width : int
        Channels of the first convolution; the second has twice as many.
    channels : int
        Of the images.
    size : int
        Height and width of the images, a multiple of four.
    hidden : int, optional
        Features before the head; by default ``4 * width``.
    classes : int
        Scores that the network returns.

    Raises
    ------
    ValueError
        If a size is not positive, or that of images no multiple of four.
    """

    width: int = 16
    channels: int = 1
    size: int = 8
    hidden: int | None = None
    classes: int = 10

    def __post_init__(self) -> None:
        names = ("width", "channels", "size", "classes")
        positive(**{name: getattr(self, name) for name in names})
        positive(hidden=1 if self.hidden is None else self.hidden)
        if self.size % 4:
            raise ValueError(f"size must be a multiple of four, not {self.size}")


class ConvNet(Module):
    """Two convolutions with ReLU and pooling, then two linear layers.

    Parameters
    ----------
    config : ConvNetConfig
        Sizes.
    stream : Stream
        What weights are drawn from.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.autograd import FAST, Stream, Tensor, use
    >>> from refnum.nn import ConvNet, ConvNetConfig
    >>> with use(FAST):
    ...     ConvNet(ConvNetConfig(), Stream(0))(Tensor(np.ones((2, 1, 8, 8)), dtype=np.float32)).shape
    (2, 10)
    """

    def __init__(self, config: ConvNetConfig, stream: Stream) -> None:
        self.config = config
        width = config.width
        start = KaimingUniform(math.sqrt(2))
        self.convolutions = [
            Conv2d(
                inputs,
                outputs,
                3,
                child(stream, f"convolutions.{k}"),
                initializer=start,
            )
            for k, (inputs, outputs) in enumerate(
                [(config.channels, width), (width, 2 * width)]
            )
        ]
        hidden = config.hidden or 4 * width
        self.hidden = Linear(
            2 * width * (config.size // 4) ** 2,
            hidden,
            child(stream, "hidden"),
            kind="mlp",
            initializer=start,
        )
        self.head = Linear(hidden, config.classes, child(stream, "head"), kind="head")
        name_modules(self)

    def __call__(self, x: Any) -> Any:
        """Return scores of shape (N, classes) for images (N, channels, size, size)."""
        for convolution in self.convolutions:
            x = max_pool2d(relu(convolution(x)), 2)
        x = reshape(x, (x.shape[0], -1))
        return self.head(relu(self.hidden(x)))
