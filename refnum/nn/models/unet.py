"""`UNet`: a small network that guesses the noise in small images at a given time.

Images of 8 by 8 pixels go down to 4 by 4 and up again; on the way up, what was seen on
the way down is put beside. Each residual block is told the time.

References
----------
Ho, Jain and Abbeel, "Denoising diffusion probabilistic models", 2020, arXiv:2006.11239,
appendix B, for the way the time comes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum import elementary
from refnum.autograd import Stream, Tensor, concatenate, reshape, silu, upsample2d
from refnum.nn.initializers import Constant, child
from refnum.nn.layers import Conv2d, GroupNorm, positive
from refnum.nn.linear import Linear
from refnum.nn.models.rotary import frequencies
from refnum.nn.module import Module, name_modules

__all__ = ["ResidualBlock", "UNet", "UNetConfig", "time_features"]


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of a UNet.

    Parameters
    ----------
    width : int
        Channels at full size, an even number; twice as many at half size.
    channels : int
        Of the images.
    groups : int
        Of the normalisations; they divide `width`.

    Raises
    ------
    ValueError
        If a size is not positive, or sizes do not fit.
    """

    width: int = 32
    channels: int = 1
    groups: int = 8

    def __post_init__(self) -> None:
        positive(width=self.width, channels=self.channels, groups=self.groups)
        if self.width % self.groups or self.width % 2:
            raise ValueError(
                f"width must be even and a multiple of {self.groups} groups, "
                f"not {self.width}"
            )


def time_features(times: npt.ArrayLike, size: int) -> npt.NDArray[np.float32]:
    """Return sines and cosines of times.

    Parameters
    ----------
    times : array_like of int, shape (N,)
        Steps from picture to noise.
    size : int
        How many features, an even number.

    Returns
    -------
    ndarray of float32, shape (N, size)
        Sines, then cosines, of the time at the frequencies of rotary positions.

    Raises
    ------
    ValueError
        If times are no integers of one axis, or `size` is odd.
    """
    steps = np.asarray(times)
    if steps.dtype.kind not in "iu" or steps.ndim != 1:
        raise ValueError(
            f"times must be integers of shape (N,), not {steps.dtype} {steps.shape}"
        )
    angles = steps.astype(np.float32)[:, np.newaxis] * frequencies(size)
    return np.concatenate([elementary.sin(angles), elementary.cos(angles)], axis=1)


class ResidualBlock(Module):
    """Two convolutions, with the time added between them, beside a shortcut.

    Parameters
    ----------
    inputs, outputs : int
        Channels before and after.
    features : int
        Of the time.
    groups : int
        Of the normalisations.
    stream : Stream
        What weights are drawn from.
    """

    def __init__(
        self, inputs: int, outputs: int, features: int, groups: int, stream: Stream
    ) -> None:
        self.first_norm = GroupNorm(groups, inputs)
        self.first = Conv2d(inputs, outputs, 3, child(stream, "first"))
        self.time = Linear(features, outputs, child(stream, "time"))
        self.second_norm = GroupNorm(groups, outputs)
        self.second = Conv2d(outputs, outputs, 3, child(stream, "second"))
        self.shortcut = (
            Conv2d(inputs, outputs, 1, child(stream, "shortcut"))
            if inputs != outputs
            else None
        )

    def __call__(self, x: Any, time: Any) -> Any:
        """Return images of `outputs` channels; `time` has shape (N, features)."""
        h = self.first(silu(self.first_norm(x)))
        h = h + reshape(self.time(time), (*h.shape[:2], 1, 1))
        h = self.second(silu(self.second_norm(h)))
        return h + (x if self.shortcut is None else self.shortcut(x))


class UNet(Module):
    """The whole network.

    Parameters
    ----------
    config : UNetConfig
        Sizes.
    stream : Stream
        What weights are drawn from. The last convolution begins at zero.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.autograd import FAST, Stream, Tensor, use
    >>> from refnum.nn import UNet, UNetConfig
    >>> with use(FAST):
    ...     net = UNet(UNetConfig(width=8), Stream(0))
    ...     net(Tensor(np.ones((2, 1, 8, 8)), dtype=np.float32), np.array([3, 50])).shape
    (2, 1, 8, 8)
    """

    def __init__(self, config: UNetConfig, stream: Stream) -> None:
        self.config = config
        width, groups, features = config.width, config.groups, 4 * config.width

        def block(name: str, inputs: int, outputs: int) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, features, groups, child(stream, name))

        self.time = [
            Linear(width, features, child(stream, "time.0")),
            Linear(features, features, child(stream, "time.1")),
        ]
        self.first = Conv2d(config.channels, width, 3, child(stream, "first"))
        self.down = block("down", width, width)
        self.smaller = Conv2d(width, 2 * width, 3, child(stream, "smaller"), stride=2)
        self.middle = [block(f"middle.{k}", 2 * width, 2 * width) for k in range(2)]
        self.larger = Conv2d(2 * width, width, 3, child(stream, "larger"))
        self.up = block("up", 2 * width, width)
        self.norm = GroupNorm(groups, width)
        self.last = Conv2d(
            width, config.channels, 3, child(stream, "last"), initializer=Constant(0.0)
        )
        name_modules(self)

    def __call__(self, x: Any, times: npt.ArrayLike) -> Any:
        """Return the noise in images of shape (N, channels, H, W), H and W even."""
        features = time_features(times, self.config.width).astype(x.dtype, copy=False)
        time = silu(self.time[1](silu(self.time[0](Tensor(features)))))
        full = self.down(self.first(x), time)
        half = self.smaller(full)
        for block in self.middle:
            half = block(half, time)
        wide = self.larger(upsample2d(half, 2))
        wide = self.up(concatenate([wide, full], 1), time)
        return self.last(silu(self.norm(wide)))
