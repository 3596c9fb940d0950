"""What is done to master weights that oscillate, around the updates of an optimiser."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["OscillationReset", "Ramping"]


@dataclass(frozen=True)
class Ramping:
    """Q-Ramping: weights that oscillate are updated more rarely, by more at a time.

    Parameters
    ----------
    steps : int
        Of calibration.
    unit : float
        The ratio for which the period grows once.
    growth : int
        By how many steps it grows.
    longest : int, optional
        The longest period. The code has a limit; what it is was not found out, so
        there is none by default.

    Raises
    ------
    ValueError
        If a field is out of range.

    References
    ----------
    Chen et al., TetraJet, arXiv 2502.20853, and its code.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.recipes import Ramping
    >>> Ramping().periods(np.float32([0, 15.9, 16, 40]))
    array([ 1,  1,  6, 11])
    """

    steps: int = 30
    unit: float = 16.0
    growth: int = 5
    longest: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "growth"):
            if operator.index(getattr(self, name)) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if not 0 < self.unit < np.inf:
            raise ValueError(f"unit must be positive and finite, not {self.unit}")
        if self.longest is not None and operator.index(self.longest) < 1:
            raise ValueError(f"longest must be 1 or more, not {self.longest}")

    def periods(self, ratio: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Return ``floor(R / unit) * growth + 1``, at most `longest`.

        Parameters
        ----------
        ratio : ndarray of float32
            R of each weight: the way of its quantised value over its own.

        Returns
        -------
        ndarray of int64
            Steps from one update to the next.

        Raises
        ------
        TypeError
            If `ratio` is not float32.
        ValueError
            If a ratio is negative or not finite.
        """
        if ratio.dtype != np.float32:
            raise TypeError(f"ratio must be float32, not {ratio.dtype}")
        if not (np.isfinite(ratio) & (ratio >= 0)).all():
            raise ValueError("ratios must be finite and not negative")
        whole = np.floor(ratio / np.float32(self.unit)).astype(np.int64)
        most = np.iinfo(np.int64).max if self.longest is None else self.longest
        return np.asarray(np.minimum(whole * self.growth + 1, most))

    def __str__(self) -> str:
        most = "" if self.longest is None else f", at most {self.longest}"
        return (
            f"updated every floor(R / {self.unit:g}) * {self.growth} + 1 steps{most}, "
            f"by R of the first {self.steps} steps"
        )


@dataclass(frozen=True)
class OscillationReset:
    """OsciReset: when to look for oscillating weights, and which ones are.

    Parameters
    ----------
    first : int
        No look before this step.
    period : int
        Looks begin at its multiples.
    steps : int
        How many steps a look takes, fewer than `period` - 1.
    threshold : float
        Weights whose quantised way is at least so many times as long as their own are
        set to their quantised value.

    Raises
    ------
    ValueError
        If a field is out of range.

    References
    ----------
    TetraJet-v2, arXiv 2510.27527, OsciReset, and its code (`oscillation_reset`): the
    threshold is 16 by default and 8 in its configurations.
    """

    first: int = 35000
    period: int = 400
    steps: int = 50
    threshold: float = 16.0

    def __post_init__(self) -> None:
        if operator.index(self.first) < 0 or operator.index(self.steps) < 1:
            raise ValueError(
                f"first {self.first} and steps {self.steps}: at least 0 and 1 are needed"
            )
        if operator.index(self.period) < self.steps + 2:
            raise ValueError(
                f"period is {self.period}; a look of {self.steps} steps needs "
                f"{self.steps + 2}"
            )
        if not self.threshold > 0:
            raise ValueError(f"threshold must be positive, not {self.threshold}")

    def __str__(self) -> str:
        return (
            f"set to their quantised values where R is {self.threshold:g} or more over "
            f"{self.steps} steps, every {self.period} steps from {self.first} on"
        )
