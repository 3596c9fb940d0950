"""A classifier that says how much drawings look like the pictures they imitate."""

from __future__ import annotations

import contextvars
import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, softmax
from refnum.nn import AdamW, gradients_of, parameters
from refnum.training.tasks.images import Images, class_scores

__all__ = ["confidence"]

_STEPS, _BATCH, _RATE, _WIDTH = 300, 64, 1e-2, 16


def confidence(data: str, pictures: npt.NDArray[np.float32]) -> float:
    """Return the mean of the largest class probability.

    Parameters
    ----------
    data : {"digits", "patterns"}
        What the classifier was trained on.
    pictures : ndarray of float32, shape (N, 1, 8, 8)
        What to judge.

    Returns
    -------
    float
        From 0.1, if it has no idea, to 1.
    """
    scores = class_scores(Images(data, width=_WIDTH), _classifier(data), pictures)
    largest = softmax(scores, axis=-1).max(axis=1).tolist()
    return math.fsum(largest) / len(largest)


@functools.cache
def _classifier(data: str) -> Any:
    """Return a classifier; it is trained once, whatever numerics are in use."""
    return contextvars.Context().run(_train, data)


def _train(data: str) -> Any:
    """Train a convolutional net for some seconds."""
    task = Images(data, width=_WIDTH)
    model = task.build(Stream(0, name="judge"))
    found = parameters(model)
    optimizer = AdamW(found)
    for step in range(1, _STEPS + 1):
        loss = task.loss(model, task.batch(0, step, _BATCH))
        rate = _RATE * (1 - (step - 1) / _STEPS)
        optimizer.step(gradients_of(loss, found), rate)
    return model
