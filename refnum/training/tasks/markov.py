"""A source of symbols whose entropy is known exactly: a Markov chain.

The next symbol depends on the last `order` ones. Probabilities are whole multiples of
2^-32, so that a random word chooses exactly; the entropy follows from them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from refnum.autograd import Stream

__all__ = ["MarkovSource"]

_Doubles = npt.NDArray[np.float64]
_Symbols = npt.NDArray[np.intp]
_UNIT = 1 << 32


@dataclass(frozen=True)
class MarkovSource:
    """A Markov chain with random transitions.

    Parameters
    ----------
    symbols : int
        How many there are.
    order : int
        How many of the last ones decide.
    seed : int
        Of the transitions.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    From each state, probabilities are proportional to the fourth powers of uniform
    random numbers: a few symbols are likely, the rest rare.

    Examples
    --------
    >>> from refnum.autograd import Stream
    >>> from refnum.training.tasks.markov import MarkovSource
    >>> source = MarkovSource(symbols=4, order=1)
    >>> source.draw(Stream(1), 2, 5).shape
    (2, 5)
    >>> round(source.entropy(), 3)
    0.884
    """

    symbols: int = 16
    order: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.symbols <= 256:
            raise ValueError(f"symbols must be from 2 to 256, not {self.symbols!r}")
        if self.order < 1 or self.symbols**self.order > 1 << 16:
            raise ValueError(
                f"order must be from 1, with at most 65536 states, not {self.order!r}"
            )

    def probabilities(self) -> _Doubles:
        """Return the chance of each next symbol, shape (states, symbols).

        The state of the last symbols a, b, c is ``(a * symbols + b) * symbols + c``.
        """
        return np.diff(_thresholds(self), axis=1, prepend=0) / float(_UNIT)

    def stationary(self) -> _Doubles:
        """Return the share of time spent in each state, shape (states,)."""
        return _stationary(self)

    def entropy(self) -> float:
        """Return the entropy rate, in nats a symbol."""
        chances = self.probabilities()
        inner = [
            -math.fsum(p * math.log(p) for p in row if p > 0)
            for row in chances.tolist()
        ]
        return math.fsum(map(float.__mul__, self.stationary().tolist(), inner))

    def states(self, symbols: _Symbols) -> _Symbols:
        """Return the state at each place from ``order - 1`` on, along the last axis."""
        length = symbols.shape[-1] - self.order + 1
        state = np.zeros((*symbols.shape[:-1], length), np.intp)
        for k in range(self.order):
            state = state * self.symbols + symbols[..., k : k + length]
        return state

    def draw(self, stream: Stream, count: int, length: int) -> _Symbols:
        """Return sequences that begin in a state drawn from the stationary ones.

        Parameters
        ----------
        stream : Stream
            What to draw from.
        count, length : int
            How many sequences, and how long; at least `order` symbols.

        Returns
        -------
        ndarray of intp, shape (count, length)
            Symbols.

        Raises
        ------
        ValueError
            If the sequences are shorter than a state.
        """
        if length < self.order:
            raise ValueError(f"length must be at least {self.order}, not {length}")
        words = stream.words((length - self.order + 1, count)).astype(np.int64)
        start = np.cumsum(np.floor(self.stationary() * _UNIT))
        state = np.minimum(
            np.searchsorted(start, words[0], side="right"), len(start) - 1
        )
        drawn = np.empty((count, length), np.intp)
        rest = state
        for k in reversed(range(self.order)):
            rest, drawn[:, k] = np.divmod(rest, self.symbols)
        limits = _thresholds(self)
        states = len(limits)
        for k in range(self.order, length):
            word = words[k - self.order + 1]
            drawn[:, k] = (limits[state] <= word[:, None]).sum(axis=1)
            state = (state * self.symbols + drawn[:, k]) % states
        return drawn


@functools.lru_cache(maxsize=4)
def _thresholds(source: MarkovSource) -> npt.NDArray[np.int64]:
    """Return cumulated chances in units of 2^-32, shape (states, symbols)."""
    states = source.symbols**source.order
    stream = Stream(source.seed, name="transitions")
    u = stream.uniform((states, source.symbols)).astype(np.float64)
    weight = (u * u) * (u * u)
    total = np.cumsum(weight, axis=1)  # from the left
    limits = np.floor(total / total[:, -1:] * _UNIT).astype(np.int64)
    limits[:, -1] = _UNIT
    return limits


@functools.lru_cache(maxsize=4)
def _stationary(source: MarkovSource) -> _Doubles:
    """Return the stationary distribution, by 400 steps from the even one."""
    chances = source.probabilities()
    states = len(chances)
    share = np.full(states, 1 / states)
    for _ in range(400):
        # State s and symbol a lead to the state (s * symbols + a) % states.
        flow = (share[:, None] * chances).reshape(source.symbols, states)
        moved = flow[0].copy()
        for row in flow[1:]:
            moved += row
        total = math.fsum(moved.tolist())
        share = moved / total
    return share
