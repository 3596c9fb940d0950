"""Denoising diffusion: a UNet learns to draw pictures of 8 by 8 pixels.

Vocabulary (Ho, Jain and Abbeel, "Denoising diffusion probabilistic models", 2020,
arXiv:2006.11239): after t steps a picture x0 has become
``sqrt(A_t) x0 + sqrt(1 - A_t) noise``, where A_t is the product of all ``1 - beta`` up
to t. The model guesses the noise. Sampling goes back step by step: the picture that the
guess implies, clipped to grey values, gives the mean of the step before (equation 7
there), with the smaller variance of the two in section 3.2.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, Tensor, no_grad
from refnum.nn import Module, UNet, UNetConfig
from refnum.training.plan import Plan
from refnum.training.tasks.digits import PICTURES, Pictures, load_pictures
from refnum.training.tasks.judge import confidence
from refnum.training.tasks.task import Samples, epoch_rows

__all__ = ["Diffusion", "draw", "noise_levels"]

_Single = npt.NDArray[np.float32]
_JUDGED = 64  # pictures


@dataclass(frozen=True)
class Diffusion:
    """Learn to draw pictures.

    Parameters
    ----------
    data : {"digits", "patterns"}
        The pictures; see `load_pictures`.
    model : {"unet"}
        The only one.
    width : int
        Channels of the UNet at full size.
    times : int
        Steps from picture to noise.

    Raises
    ------
    ValueError
        If a name is unknown, a number out of range, or scikit-learn missing.
    """

    data: str = "digits"
    model: str = "unet"
    width: int = 16
    times: int = 100
    name: str = field(default="diffusion", init=False)

    def __post_init__(self) -> None:
        for value, known in ((self.data, PICTURES), (self.model, ("unet",))):
            if value not in known:
                raise ValueError(f"{value!r} is unknown; there are {', '.join(known)}")
        if self.width < 1:
            raise ValueError(f"width must be positive, not {self.width!r}")
        noise_levels(self.times)
        self._pictures()

    @property
    def plan(self) -> Plan:
        """2500 batches of 32 pictures."""
        return Plan(
            steps=2500, batch=32, learning_rate=8e-3, warmup=50, clip=1.0, evaluations=5
        )

    def settings(self) -> dict[str, Any]:
        """Return all fields."""
        facts = {"task": self.name, "data": self.data, "model": self.model}
        return {**facts, "width": self.width, "times": self.times}

    def references(self) -> dict[str, float]:
        """Return nothing: what is possible is not known."""
        return {}

    def build(self, stream: Stream) -> Module:
        """Return the model."""
        return UNet(UNetConfig(width=self.width), stream)

    def batch(self, seed: int, step: int, size: int) -> tuple[Any, ...]:
        """Return noisy pictures, their times, and the noise."""
        pictures = self._pictures().train
        rows = epoch_rows(seed, step, size, len(pictures))
        return self._noisy(pictures[rows], Stream(seed, step, "noise"))

    def loss(self, model: Any, batch: tuple[Any, ...]) -> Tensor:
        """Return the mean squared error of the guessed noise."""
        noisy, times, noise = batch
        error = model(Tensor(noisy), times) - noise
        loss: Tensor = (error * error).mean()
        return loss

    def evaluate(self, model: Any, *, final: bool) -> dict[str, float]:
        """Return the loss on pictures held out; at the end how drawings are judged.

        The confidence is that of a classifier which was trained on the pictures: the
        mean of its largest probabilities for 64 drawings.
        """
        pictures = self._pictures().test
        batch = self._noisy(pictures, Stream(0, name="held out noise"))
        found = {"loss": self.loss(model, batch).item()}
        if final:
            drawn = draw(model, _JUDGED, self.times, Stream(0, name="judged"))
            found["confidence"] = confidence(self.data, drawn)
            some = pictures[:_JUDGED]
            found["confidence of real ones"] = confidence(self.data, some)
        return found

    def samples(self, model: Any, seed: int) -> Samples | None:
        """Return 64 drawings."""
        drawn = draw(model, 64, self.times, Stream(seed, name="samples"))
        return Samples(images=np.rint(drawn[:, 0] * 255).astype(np.uint8))

    def _noisy(
        self, pictures: _Single, stream: Stream
    ) -> tuple[_Single, npt.NDArray[np.intp], _Single]:
        count = len(pictures)
        # One time in each of as many equal parts as there are pictures.
        parts = (np.arange(count) + stream.uniform(count).astype(np.float64)) / count
        times = np.minimum(parts * self.times, self.times - 1).astype(np.intp)
        noise = Stream(stream.seed, stream.step, stream.name + " values").normal(
            pictures.shape
        )
        keep = noise_levels(self.times)[1][times][:, None, None, None]
        signal = np.sqrt(keep).astype(np.float32)
        spread = np.sqrt(1 - keep).astype(np.float32)
        return signal * _centred(pictures) + spread * noise, times, noise

    def _pictures(self) -> Pictures:
        return load_pictures(self.data)


@functools.cache
def noise_levels(
    times: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return beta and A for each time, shape (times,).

    Parameters
    ----------
    times : int
        From 20 to 10000.

    Raises
    ------
    ValueError
        If it is out of range.

    Notes
    -----
    Beta rises evenly from ``0.1 / times`` to ``20 / times``: for 1000 times, as in the
    paper, from 0.0001 to 0.02.
    """
    if type(times) is not int or not 20 < times <= 10000:
        raise ValueError(f"times must be an integer from 21 to 10000, not {times!r}")
    beta = (0.1 + 19.9 * (np.arange(times) / (times - 1))) / times
    kept = 1.0
    levels = [kept := kept * (1 - one) for one in beta.tolist()]
    return beta, np.array(levels)


def draw(model: Any, count: int, times: int, stream: Stream) -> _Single:
    """Return pictures drawn from noise.

    Parameters
    ----------
    model : Module
        From pictures (N, 1, 8, 8) and times (N,) to noise.
    count : int
        How many.
    times : int
        Steps from noise to picture.
    stream : Stream
        Where the noise comes from.

    Returns
    -------
    ndarray of float32, shape (count, 1, 8, 8)
        Grey values from 0 to 1.
    """
    beta, kept = noise_levels(times)
    shape = (count, 1, 8, 8)
    x = Stream(stream.seed, times, stream.name).normal(shape)
    with no_grad():
        for t in reversed(range(times)):
            guess = model(Tensor(x), np.full(count, t)).data
            level, before = kept[t], kept[t - 1] if t else 1.0
            spread, signal = math.sqrt(1 - level), math.sqrt(level)
            picture = (x - np.float32(spread) * guess) / np.float32(signal)
            picture = np.clip(picture, -1, 1)
            share = math.sqrt(before) * beta[t] / (1 - level)
            rest = math.sqrt(1 - beta[t]) * (1 - before) / (1 - level)
            x = np.float32(share) * picture + np.float32(rest) * x
            if t:
                fresh = Stream(stream.seed, t, stream.name).normal(shape)
                deviation = math.sqrt(beta[t] * (1 - before) / (1 - level))
                x = x + np.float32(deviation) * fresh
    return np.asarray(np.clip((x + np.float32(1)) / np.float32(2), 0, 1), np.float32)


def _centred(pictures: _Single) -> _Single:
    return pictures * np.float32(2) - np.float32(1)
