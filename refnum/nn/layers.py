"""Layers with few parameters: embeddings, normalisations and convolutions."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, conv2d, embedding, group_norm, layer_norm, rms_norm
from refnum.nn.initializers import FAN_IN, Initializer, Normal, child, parameter
from refnum.nn.module import Module

__all__ = ["Conv2d", "Embedding", "GroupNorm", "LayerNorm", "RMSNorm", "positive"]


def positive(**sizes: int) -> tuple[int, ...]:
    """Return sizes as integers; raise ValueError with the name of one below 1."""
    for name, size in sizes.items():
        if operator.index(size) < 1:
            raise ValueError(f"{name} must be positive, not {size}")
    return tuple(map(operator.index, sizes.values()))


class Embedding(Module):
    """A table of vectors, looked up by number.

    Parameters
    ----------
    count, width : int
        How many vectors, and how long.
    stream : Stream
        What the table is drawn from.
    initializer : Initializer
        Of the table.

    Examples
    --------
    >>> from refnum.autograd import Stream
    >>> from refnum.nn import Embedding
    >>> Embedding(5, 3, Stream(0))([[0, 4]]).shape
    (1, 2, 3)
    """

    def __init__(
        self,
        count: int,
        width: int,
        stream: Stream,
        *,
        initializer: Initializer = Normal(),  # noqa: B008 frozen
    ) -> None:
        shape = positive(count=count, width=width)
        self.weight = parameter(initializer(child(stream, "weight"), shape))

    def __call__(self, indices: npt.ArrayLike) -> Any:
        """Return the vectors of integer `indices`, which gain an axis at the end."""
        return embedding(self.weight, indices)


class LayerNorm(Module):
    """Layer normalisation of the last axis, with weight and bias.

    Parameters
    ----------
    width : int
        Length of the axis.
    bias : bool
        Whether there is a bias.
    epsilon : float
        Added to the variance.
    """

    def __init__(self, width: int, *, bias: bool = True, epsilon: float = 1e-5) -> None:
        shape = positive(width=width)
        self.weight = parameter(np.ones(shape, np.float32))
        self.bias = parameter(np.zeros(shape, np.float32)) if bias else None
        self.epsilon = epsilon

    def __call__(self, x: Any) -> Any:
        """Return x of shape (..., width), normalised."""
        return layer_norm(x, self.weight, self.bias, epsilon=self.epsilon)


class RMSNorm(Module):
    """Root mean square normalisation of the last axis, with a weight.

    Parameters
    ----------
    width : int
        Length of the axis.
    epsilon : float
        Added to the mean square.
    """

    def __init__(self, width: int, *, epsilon: float = 1e-5) -> None:
        self.weight = parameter(np.ones(positive(width=width), np.float32))
        self.epsilon = epsilon

    def __call__(self, x: Any) -> Any:
        """Return x of shape (..., width), normalised."""
        return rms_norm(x, self.weight, epsilon=self.epsilon)


class GroupNorm(Module):
    """Normalisation of groups of channels of images, with weight and bias.

    Parameters
    ----------
    groups, channels : int
        The channels form so many equal groups.
    epsilon : float
        Added to the variance.
    """

    def __init__(self, groups: int, channels: int, *, epsilon: float = 1e-5) -> None:
        groups, channels = positive(groups=groups, channels=channels)
        if channels % groups:
            raise ValueError(f"{channels} channels are no {groups} equal groups")
        self.weight = parameter(np.ones(channels, np.float32))
        self.bias = parameter(np.zeros(channels, np.float32))
        self.groups = groups
        self.epsilon = epsilon

    def __call__(self, x: Any) -> Any:
        """Return x of shape (N, channels, H, W), normalised."""
        return group_norm(x, self.groups, self.weight, self.bias, epsilon=self.epsilon)


class Conv2d(Module):
    """Convolution of images of shape (N, C, H, W).

    Parameters
    ----------
    inputs, outputs : int
        Channels before and after.
    kernel : int
        Height and width of the kernels.
    stream : Stream
        What the kernels are drawn from.
    stride, padding : int
        Steps between windows, and zeros around the image; by default ``kernel // 2``,
        which keeps the size of images where `kernel` is odd and `stride` one.
    bias : bool
        Whether there is a bias; it begins at zero.
    initializer : Initializer
        Of the kernels.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stream: Stream,
        *,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
        initializer: Initializer = FAN_IN,
    ) -> None:
        n, c, k = positive(outputs=outputs, inputs=inputs, kernel=kernel)
        weight = initializer(child(stream, "weight"), (n, c, k, k))
        self.weight = parameter(weight)
        self.bias = parameter(np.zeros(n, np.float32)) if bias else None
        (self.stride,) = positive(stride=stride)
        self.padding = k // 2 if padding is None else operator.index(padding)
        if self.padding < 0:
            raise ValueError(f"padding must not be negative, not {padding}")

    def __call__(self, x: Any) -> Any:
        """Return images of shape (N, outputs, H', W')."""
        return conv2d(
            x, self.weight, self.bias, stride=self.stride, padding=self.padding
        )
