"""Text from a language model, token by token."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, no_grad, softmax

__all__ = ["write_on"]

_Tokens = npt.NDArray[np.intp]


def write_on(
    model: Any, context: int, tokens: _Tokens, count: int, stream: Stream
) -> list[int]:
    """Return tokens that follow, each drawn from what the model thinks likely.

    Parameters
    ----------
    model : Module
        From tokens of shape (1, T) to logits of shape (1, T, V).
    context : int
        How many tokens it can see.
    tokens : ndarray of intp, shape (T,)
        What to begin with; at least one.
    count : int
        How many to write.
    stream : Stream
        Where the draws come from.

    Returns
    -------
    list of int
        The new tokens.
    """
    seen: list[int] = tokens.tolist()
    draws = (stream.words(count).astype(np.float64) + 0.5) / 2**32
    with no_grad():
        for draw in draws:
            logits = model(np.array([seen[-context:]], np.intp))[:, -1]
            chances = np.cumsum(softmax(logits, axis=-1).data[0].astype(np.float64))
            place = np.searchsorted(chances, draw * chances[-1], side="right")
            seen.append(min(int(place), len(chances) - 1))
    return seen[len(tokens) :]
