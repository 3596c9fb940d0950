"""Initial values of parameters: records that draw an array from a stream.

Each parameter has a stream of its own, named like it, so that its initial values do not
depend on which other parameters a model has. *Fan-in* is the number of inputs that meet
in one output: for a weight of shape (N, K, ...) the product of all lengths but the
first; *fan-out* is N times the lengths from the third on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream, Tensor

__all__ = [
    "FAN_IN",
    "Constant",
    "Initializer",
    "KaimingUniform",
    "Normal",
    "XavierUniform",
    "child",
    "parameter",
]

_Single = npt.NDArray[np.float32]
_Shape = tuple[int, ...]


class Initializer(Protocol):
    """Makes the initial values of a parameter."""

    def __call__(self, stream: Stream, shape: _Shape) -> _Single:
        """Return float32 values of a shape."""
        ...


@dataclass(frozen=True)
class Constant:
    """The same number everywhere.

    Parameters
    ----------
    value : float
        The number.
    """

    value: float = 0.0

    def __call__(self, stream: Stream, shape: _Shape) -> _Single:
        """Return an array full of the value."""
        return np.full(shape, self.value, np.float32)


@dataclass(frozen=True)
class Normal:
    """Normally distributed numbers of mean zero.

    Parameters
    ----------
    std : float
        Standard deviation.

    Notes
    -----
    GPT-2 takes 0.02, and for the last layer of each residual branch
    ``0.02 / sqrt(2 * layers)``, as each of so many branches adds to the stream.

    References
    ----------
    Radford et al., "Language models are unsupervised multitask learners", 2019, section
    2.3; the deviation is that of the released code.
    """

    std: float = 0.02

    def __call__(self, stream: Stream, shape: _Shape) -> _Single:
        """Return random numbers of the stream."""
        return stream.normal(shape, std=self.std)


@dataclass(frozen=True)
class KaimingUniform:
    """Uniform numbers within ``gain * sqrt(3 / fan_in)`` of zero.

    Parameters
    ----------
    gain : float
        sqrt(2) keeps the variance through ReLU; the default, ``sqrt(1/3)``, makes the
        bound ``1 / sqrt(fan_in)``.

    References
    ----------
    He et al., "Delving deep into rectifiers", 2015, arXiv:1502.01852.
    """

    gain: float = math.sqrt(1 / 3)

    def __call__(self, stream: Stream, shape: _Shape) -> _Single:
        """Return random numbers of the stream."""
        return _uniform(stream, shape, self.gain * math.sqrt(3 / _fans(shape)[0]))


FAN_IN = KaimingUniform()
"""Within ``1 / sqrt(fan_in)`` of zero: what layers take unless told otherwise."""


@dataclass(frozen=True)
class XavierUniform:
    """Uniform numbers within ``gain * sqrt(6 / (fan_in + fan_out))`` of zero.

    Parameters
    ----------
    gain : float
        Of the activation function that follows.

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """

    gain: float = 1.0

    def __call__(self, stream: Stream, shape: _Shape) -> _Single:
        """Return random numbers of the stream."""
        return _uniform(stream, shape, self.gain * math.sqrt(6 / sum(_fans(shape))))


def child(stream: Stream, name: Any) -> Stream:
    """Return the stream of a part, named after the whole's.

    Parameters
    ----------
    stream : Stream
        Of the whole.
    name : str or int
        Of the part.

    Returns
    -------
    Stream
        With the same seed and step.

    Examples
    --------
    >>> from refnum.autograd import Stream
    >>> child(child(Stream(1, name="blocks"), 0), "weight").name
    'blocks.0.weight'
    """
    name = f"{stream.name}.{name}" if stream.name else str(name)
    return replace(stream, name=name)


def parameter(values: npt.NDArray[Any]) -> Tensor:
    """Return a tensor that requires a gradient."""
    return Tensor(values, requires_grad=True)


def _uniform(stream: Stream, shape: _Shape, bound: float) -> _Single:
    return stream.uniform(shape, -bound, bound)


def _fans(shape: _Shape) -> tuple[int, int]:
    if len(shape) < 2 or not all(shape):
        raise ValueError(f"a weight of shape {shape} has no fan-in and fan-out")
    return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
