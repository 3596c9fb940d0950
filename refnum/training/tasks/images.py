"""Image classification: pictures of 8 by 8 pixels, ten classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, Tensor, cross_entropy
from refnum.nn import MLP, ConvNet, ConvNetConfig, Module
from refnum.training.plan import Plan
from refnum.training.tasks.digits import PICTURES, Pictures, load_pictures
from refnum.training.tasks.task import Samples, epoch_rows

__all__ = ["Images", "class_scores"]

MODELS = ("cnn", "mlp")
CLASSES = 10


@dataclass(frozen=True)
class Images:
    """Classify pictures.

    Parameters
    ----------
    data : {"digits", "patterns"}
        The pictures; see `load_pictures`.
    model : {"cnn", "mlp"}
        A small convolutional net, or two hidden layers.
    width : int
        Channels of the first convolution, or an eighth of a hidden layer.
    shift : float
        By how many pixels, at most 1, pictures are moved each time they are shown.

    Raises
    ------
    ValueError
        If a name is unknown, a number out of range, or scikit-learn missing.
    """

    data: str = "digits"
    model: str = "cnn"
    width: int = 32
    shift: float = 0.5
    name: str = field(default="images", init=False)
    rows: ClassVar[int] = 1  # of a layer's input, for each example

    def __post_init__(self) -> None:
        for value, known in ((self.data, PICTURES), (self.model, MODELS)):
            if value not in known:
                raise ValueError(f"{value!r} is unknown; there are {', '.join(known)}")
        if self.width < 1:
            raise ValueError(f"width must be positive, not {self.width!r}")
        if not 0 <= self.shift <= 1:
            raise ValueError(f"shift must be from 0 to 1 pixel, not {self.shift!r}")
        self._pictures()

    @property
    def plan(self) -> Plan:
        """600 batches of 64 pictures; 1200 for a perceptron."""
        steps, rate = (600, 1e-2) if self.model == "cnn" else (1200, 5e-3)
        return Plan(
            steps=steps, batch=64, learning_rate=rate, weight_decay=0.05, warmup=20
        )

    def settings(self) -> dict[str, Any]:
        """Return all fields."""
        facts = {"task": self.name, "data": self.data, "model": self.model}
        return {**facts, "width": self.width, "shift": self.shift}

    def references(self) -> dict[str, float]:
        """Return nothing: what is possible is not known."""
        return {}

    def build(self, stream: Stream) -> Module:
        """Return the model."""
        if self.model == "mlp":
            return MLP([64, 8 * self.width, 8 * self.width, CLASSES], stream)
        return ConvNet(ConvNetConfig(width=self.width), stream)

    def batch(self, seed: int, step: int, size: int) -> tuple[Any, ...]:
        """Return pictures and classes."""
        pictures = self._pictures()
        rows = epoch_rows(seed, step, size, len(pictures.train))
        images = pictures.train[rows]
        if self.shift:
            images = _shifted(images, Stream(seed, step, "shift"), self.shift)
        return images, pictures.train_labels[rows]

    def loss(self, model: Any, batch: tuple[Any, ...]) -> Tensor:
        """Return the mean cross-entropy, in nats."""
        images, labels = batch
        loss: Tensor = cross_entropy(self._logits(model, images), labels)
        return loss

    def evaluate(self, model: Any, *, final: bool) -> dict[str, float]:
        """Return loss and accuracy on the pictures held out."""
        pictures = self._pictures()
        logits = self._logits(model, pictures.test)
        right = int((logits.data.argmax(axis=1) == pictures.test_labels).sum())
        loss = cross_entropy(logits, pictures.test_labels).item()
        return {"loss": loss, "accuracy": right / len(pictures.test)}

    def samples(self, model: Any, seed: int) -> Samples | None:
        """Return the pictures held out that the model gets wrong."""
        pictures = self._pictures()
        found = class_scores(self, model, pictures.test).argmax(axis=1)
        wrong = np.flatnonzero(found != pictures.test_labels)[:16]
        if not len(wrong):
            return None
        words = [f"{found[k]} for {pictures.test_labels[k]}" for k in wrong]
        images = np.rint(pictures.test[wrong, 0] * 255).astype(np.uint8)
        return Samples(images=images, text="mistaken: " + ", ".join(words))

    def _logits(self, model: Any, images: npt.NDArray[np.float32]) -> Tensor:
        x = images.reshape(len(images), -1) if self.model == "mlp" else images
        logits: Tensor = model(Tensor(x))
        return logits

    def _pictures(self) -> Pictures:
        return load_pictures(self.data)


def class_scores(
    task: Images, model: Any, images: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the logits of pictures, shape (N, 10)."""
    return np.asarray(task._logits(model, images).data, np.float32)


def _shifted(
    images: npt.NDArray[np.float32], stream: Stream, most: float
) -> npt.NDArray[np.float32]:
    """Move each picture down and across by parts of a pixel, black coming in."""
    moves = stream.uniform((2, len(images), 1, 1), -most, most)
    moved = images[:, 0]
    for axis, move in zip((1, 2), moves, strict=True):
        around = np.pad(
            moved, [(0, 0), *((1, 1) if k == axis else (0, 0) for k in (1, 2))]
        )
        after = np.take(around, range(2, 10), axis)
        before = np.take(around, range(8), axis)
        stay = np.float32(1) - np.abs(move)
        forth, back = np.maximum(-move, 0), np.maximum(move, 0)
        moved = moved * stay + after * forth + before * back
    return np.asarray(moved)[:, np.newaxis]
