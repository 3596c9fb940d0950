"""Outlier channels in a wider format: which ones, and what they do to an operand.

For a window of steps the norms of a layer's input channels are added up. The channels
with the largest sums are then quantised apart from the others, in a wider format, in
the products that reduce over channels or yield them: fprop and wgrad. Dgrad, which
reduces over outputs, stays narrow.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import BlockFormat, ChosenFormat, dequantize, quantize
from refnum.elementary import sqrt
from refnum.elementary import sum as sum_of
from refnum.nn.gradients.grids import as_floats
from refnum.nn.states.amax import State, restored
from refnum.recipes import Channels

__all__ = ["ChannelRecorder", "mixed_values"]

_Single = npt.NDArray[np.float32]
_USUAL = Channels()


class ChannelRecorder:
    """The accumulated norms of one layer's input channels, and the choice made of them.

    Parameters
    ----------
    channels : int
        K, the layer's inputs.
    choice : Channels
        When and how.

    Raises
    ------
    ValueError
        If `channels` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.recipes import Channels
    >>> recorder = ChannelRecorder(4, Channels(share=0.25, first=0, steps=1))
    >>> recorder.record(np.float32([[1, 9, 2, 0], [1, 9, 2, 0]]), step=0)
    >>> recorder.outliers(step=0) is None, recorder.outliers(step=1)
    (True, array([1]))
    """

    def __init__(self, channels: int, choice: Channels = _USUAL) -> None:
        self.channels = operator.index(channels)
        if self.channels < 1:
            raise ValueError(f"channels must be 1 or more, not {channels}")
        self.choice = choice
        self._norms = np.zeros(self.channels, np.float32)

    def record(self, x: npt.ArrayLike, step: int) -> None:
        """Add the norms of a step's inputs, if the step is in the window.

        Parameters
        ----------
        x : array_like of float32, shape (..., K)
            Inputs of one forward pass; several of one step are added one by one.
        step : int
            Number of the step.

        Raises
        ------
        TypeError
            If `x` is not float32.
        ValueError
            If the number of channels differs.
        """
        values = as_floats(x)
        if values.dtype != np.float32:
            raise TypeError(f"x must be float32, not {values.dtype}")
        if values.shape[-1:] != (self.channels,):
            raise ValueError(
                f"x has shape {values.shape}; {self.channels} channels are"
            )
        start = self.choice.first
        if start <= step < start + self.choice.steps:
            with np.errstate(all="ignore"):
                squares = np.square(values.reshape(-1, self.channels))
                self._norms += sqrt(sum_of(squares, axis=0))

    def outliers(self, step: int) -> npt.NDArray[np.intp] | None:
        """Return the outlier channels, or None before the window has passed.

        Parameters
        ----------
        step : int
            Number of the step.

        Returns
        -------
        ndarray of intp, or None
            Channels from the largest sum to smaller ones; of equal ones, the first.
        """
        if step < self.choice.first + self.choice.steps:
            return None
        order = np.argsort(-self._norms, kind="stable")
        return order[: self.choice.count(self.channels)]

    def state(self) -> State:
        """Return the sums."""
        return {"norms": self._norms.copy()}

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back what `state` returned.

        Parameters
        ----------
        state : mapping of str to ndarray
            The arrays.

        Raises
        ------
        ValueError
            If an array is missing, unknown or of another type or shape.
        """
        self._norms = restored(state, self.state())["norms"]


def mixed_values(
    x: npt.ArrayLike,
    outliers: npt.ArrayLike,
    narrow: BlockFormat | ChosenFormat,
    wide: BlockFormat | ChosenFormat,
    *,
    axis: int = -1,
    random: npt.ArrayLike | None = None,
) -> _Single:
    """Return an operand whose outlier channels are quantised apart, in a wider format.

    Parameters
    ----------
    x : array_like of float32, shape (..., K)
        An operand with the channels last: X or W in fprop, X in wgrad.
    outliers : array_like of int
        The outlier channels, each once.
    narrow, wide : BlockFormat or ChosenFormat
        Formats of the other channels and of these.
    axis : int
        Along which blocks run. Along the channels, blocks are cut from each group
        after it has been gathered: the others in rising order, these in the order
        of `outliers`.
    random : array_like of unsigned integers, optional
        Random bits for a stochastic `narrow`, in the shape of `x`.

    Returns
    -------
    ndarray of float32, shape (..., K)
        Dequantised values, channels in their places.

    Raises
    ------
    ValueError
        If a channel does not exist or is named twice.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> x = np.float32([[0.3, 100.0, 0.4, 0.6]])
    >>> mixed_values(x, [1], rn.MXFP4, rn.MXFP8_E4M3).tolist()[0][1]
    96.0
    """
    values = as_floats(x)
    chosen = np.asarray(outliers, np.intp).reshape(-1)
    count = values.shape[-1]
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < count:
        raise ValueError(f"outliers {chosen.tolist()} are not among {count} channels")
    others = np.setdiff1d(np.arange(count), chosen)
    if others.size + chosen.size != count:
        raise ValueError(f"outliers {chosen.tolist()} name a channel twice")
    out = np.empty(values.shape, np.float32)
    words = None if random is None else np.asarray(random)[..., others]
    for channels, fmt, bits in ((others, narrow, words), (chosen, wide, None)):
        if channels.size:
            part = np.ascontiguousarray(values[..., channels])
            q = quantize(part, fmt, axis=axis, random=bits)
            out[..., channels] = dequantize(q)
    return out
