"""Random numbers that depend on a seed, a step and a name, and on nothing else.

Vocabulary. A *stream* is what one use draws from: the seed and the name make Philox's
key, the step the upper half of its counter, and blocks of four *words* count up in the
lower half. Drawing has no state: the same call gives the same numbers, in any order, on
every machine. Uniform numbers are exact fractions; normal ones are a rational function
of them, and portable logarithms and roots in the tails.
"""

from __future__ import annotations

import hashlib
import math
import operator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.random import philox4x32

__all__ = ["Stream"]

_Words = npt.NDArray[np.uint32]
_Single = npt.NDArray[np.float32]
_Shape = int | tuple[int, ...]

# Wichura's PPND7: quotients of polynomials, constant terms first, in 0.425^2 - q^2 for
# the middle, and in r - 1.6 for the tails, where r = sqrt(-log p) stays below 5.
_MIDDLE = (
    (3.3871327179e0, 5.0434271938e1, 1.5929113202e2, 5.9109374720e1),
    (1.0, 1.7895169469e1, 7.8757757664e1, 6.7187563600e1),
)
_TAIL = (
    (1.4234372777e0, 2.7568153900e0, 1.3067284816e0, 1.7023821103e-1),
    (1.0, 7.3700164250e-1, 1.2021132975e-1),
)


@dataclass(frozen=True)
class Stream:
    """Random numbers of one seed, step and name.

    Parameters
    ----------
    seed : int
        Of the whole experiment, 0 to 2^64 - 1.
    step : int
        Which use in time, 0 to 2^64 - 1.
    name : str
        Which use in space: a layer, a data set.

    Raises
    ------
    TypeError
        If `seed` or `step` is no integer, or `name` no str.
    ValueError
        If `seed` or `step` is out of range.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011.

    Examples
    --------
    >>> from refnum.autograd.random import Stream
    >>> stream = Stream(seed=1, step=7, name="dropout")
    >>> stream.uniform(3)
    array([0.79475737, 0.55838406, 0.7328656 ], dtype=float32)
    >>> stream.permutation(5)
    array([4, 2, 0, 1, 3])
    """

    seed: int
    step: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        for field in ("seed", "step"):
            value = getattr(self, field)
            try:
                number = operator.index(value)
            except TypeError:
                raise TypeError(f"{field} must be an integer, not {value!r}") from None
            if not 0 <= number < 2**64:
                raise ValueError(f"{field} must be from 0 to 2**64 - 1, not {number}")
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, not {self.name!r}")

    @property
    def key(self) -> tuple[int, int]:
        """Philox's key: the first words of BLAKE2b of the seed's bytes and the name."""
        text = int(self.seed).to_bytes(8, "little") + self.name.encode()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        return (
            int.from_bytes(digest[:4], "little"),
            int.from_bytes(digest[4:], "little"),
        )

    def words(self, shape: _Shape) -> _Words:
        """Return random 32-bit words.

        Parameters
        ----------
        shape : int or tuple of int
            Of the result; more words begin with fewer.

        Returns
        -------
        ndarray of uint32
            The words of the stream, in C order.
        """
        wanted = _lengths(shape)
        count = math.prod(wanted)
        blocks = np.arange(-(-count // 4), dtype=np.uint64)
        counters = np.empty((len(blocks), 4), np.uint32)
        counters[:, 0] = (blocks & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        counters[:, 1] = (blocks >> np.uint64(32)).astype(np.uint32)
        counters[:, 2] = int(self.step) & 0xFFFFFFFF
        counters[:, 3] = int(self.step) >> 32
        words = philox4x32(counters, np.array(self.key, np.uint32))
        return words.reshape(-1)[:count].reshape(wanted)

    def uniform(self, shape: _Shape, low: float = 0.0, high: float = 1.0) -> _Single:
        """Return numbers spread evenly from `low` to `high`.

        Parameters
        ----------
        shape : int or tuple of int
            Of the result.
        low, high : float
            Ends of the interval; `high` itself is not drawn from 0 to 1.

        Returns
        -------
        ndarray of float32
            ``low + (high - low) * u``, where u is a word's upper 24 bits times 2^-24;
            computed in float64 and rounded once.

        Raises
        ------
        ValueError
            If the ends are not finite, or `low` is not less than `high`.
        """
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"low must be less than high, not {low} and {high}")
        unit = (self.words(shape) >> np.uint32(8)) * 2.0**-24
        return np.asarray(low + (high - low) * unit).astype(np.float32)

    def normal(self, shape: _Shape, mean: float = 0.0, std: float = 1.0) -> _Single:
        """Return normally distributed numbers.

        Parameters
        ----------
        shape : int or tuple of int
            Of the result.
        mean, std : float
            Mean and standard deviation.

        Returns
        -------
        ndarray of float32
            ``mean + std * z``, computed in float64 and rounded once, where z is the
            quantile of ``(word + 1/2) * 2^-32``, at most 6.34 from zero.

        Raises
        ------
        ValueError
            If `mean` or `std` is not finite, or `std` is negative.

        References
        ----------
        Wichura, "Algorithm AS 241: the percentage points of the normal distribution",
        Applied Statistics 37, 1988: PPND7, with about seven decimals.
        """
        if not (math.isfinite(mean) and 0 <= std < math.inf):
            raise ValueError(f"there is no normal of mean {mean} and deviation {std}")
        middles = self.words(shape).astype(np.float64) + 0.5
        z = _quantile(middles * 2.0**-32)
        return np.asarray(mean + std * z).astype(np.float32)

    def permutation(self, count: int) -> npt.NDArray[np.intp]:
        """Return 0 to `count` - 1 in random order.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        ndarray of intp, shape (count,)
            The order that sorts random 64-bit numbers, the first of equal ones first.
        """
        low, high = self.words((operator.index(count), 2)).astype(np.uint64).T
        return np.argsort(high << np.uint64(32) | low, kind="stable")

    def dropout_mask(self, shape: _Shape, rate: float) -> _Single:
        """Return what dropout multiplies activations by.

        Parameters
        ----------
        shape : int or tuple of int
            Of the result.
        rate : float
            Share of zeros, from 0 to below 1, to a multiple of 2^-32.

        Returns
        -------
        ndarray of float32
            Zero with probability `rate`, otherwise ``1 / (1 - rate)``.

        Raises
        ------
        ValueError
            If `rate` is out of range.
        """
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be from 0 to below 1, not {rate}")
        kept = self.words(shape) >= np.uint64(round(rate * 2**32))
        return np.where(kept, np.float32(1 / (1 - rate)), np.float32(0))


def _lengths(shape: _Shape) -> tuple[int, ...]:
    lengths = shape if isinstance(shape, tuple) else (shape,)
    sizes = tuple([operator.index(n) for n in lengths])
    if any(n < 0 for n in sizes):
        raise ValueError(f"shape must not be negative, not {shape}")
    return sizes


def _quantile(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return z such that a standard normal is below it with probability p."""
    q = p - 0.5
    z = np.asarray(q * _quotient(_MIDDLE, 0.180625 - q * q))
    outside = np.abs(q) > 0.425
    far = q[outside]
    nearer = np.asarray(0.5 - np.abs(far)).astype(np.float32)
    log = import_module("refnum.elementary").log(nearer).astype(np.float64)
    tail = _quotient(_TAIL, np.sqrt(-log) - 1.6)
    z[outside] = np.where(far < 0, -tail, tail)
    return z


def _quotient(coefficients: Any, x: npt.NDArray[np.float64]) -> Any:
    """Return one polynomial over another, both by Horner's rule."""
    values = []
    for polynomial in coefficients:
        value: Any = 0.0
        for coefficient in reversed(polynomial):
            value = value * x + coefficient
        values.append(value)
    return values[0] / values[1]
