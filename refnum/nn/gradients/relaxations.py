"""Stand-ins for the derivative of rounding: straight-through, masks, and their record.

Rounding to a grid has the derivative zero almost everywhere. A *relaxation* puts
another function in its place in the backward pass. It is a record with two functions:
`surrogate`, a continuous function near the rounding, and `slope`, the derivative of it
that gradients are multiplied by. Both take values that have been divided by their
scale, and the grid; so one record serves elements and scales of any format.

`estimators` and `smooth` have those that follow the steps of the grid, and
`named_relaxations` names for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from refnum.nn.gradients.grids import Floats, Grid, as_floats, interval_of, levels_of

__all__ = ["STE", "ClipMask", "Relaxation", "StraightThrough", "TrustMask"]


class Relaxation(Protocol):
    """What stands in for rounding when gradients are computed."""

    def surrogate(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return the continuous function that is differentiated.

        Parameters
        ----------
        x : array_like of float32 or float64
            Values divided by their scale.
        grid : Format or array_like
            What they are rounded to.

        Returns
        -------
        ndarray
            In the shape and type of `x`.
        """
        ...

    def slope(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return the derivative of the surrogate, within the record's limits.

        Parameters
        ----------
        x : array_like of float32 or float64
            Values divided by their scale.
        grid : Format or array_like
            What they are rounded to.

        Returns
        -------
        ndarray
            In the shape and type of `x`.
        """
        ...


@dataclass(frozen=True)
class StraightThrough:
    """The straight-through estimator: rounding counts as the identity.

    References
    ----------
    Bengio, Léonard and Courville, arXiv 1308.3432.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> StraightThrough().slope(np.array([0.3, 7.0]), rn.E2M1)
    array([1., 1.])
    """

    def surrogate(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return x."""
        return as_floats(x)

    def slope(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return 1."""
        return np.ones_like(as_floats(x))


STE = StraightThrough()
"""The straight-through estimator."""


@dataclass(frozen=True)
class ClipMask:
    """The identity between the ends of the grid, constant beyond them.

    Parameters
    ----------
    inclusive : bool
        Whether the gradient passes at the ends themselves.

    References
    ----------
    Castro et al., "Quartet", arXiv 2505.14669: the mask of the clipped elements.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> ClipMask().slope(np.array([0.3, 6.0, -6.5]), rn.E2M1)
    array([1., 1., 0.])
    """

    inclusive: bool = True

    def surrogate(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return x, clipped to the grid's range."""
        values, levels = as_floats(x), levels_of(grid)
        low, high = levels[[0, -1]].astype(values.dtype)
        clipped: Floats = np.where(values > high, high, values)
        return np.asarray(np.where(values < low, low, clipped))

    def slope(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return 1 in the grid's range, 0 beyond."""
        values, levels = as_floats(x), levels_of(grid)
        if self.inclusive:
            passes = (values >= levels[0]) & (values <= levels[-1])
        else:
            passes = (values > levels[0]) & (values < levels[-1])
        return np.asarray(passes.astype(values.dtype))


@dataclass(frozen=True)
class TrustMask:
    """The identity where rounding moves a value little, constant elsewhere.

    Parameters
    ----------
    distance : float, optional
        The largest move that is trusted, in units of the grid; by default half the
        widest step. On an even grid of b bits that is the paper's trust factor
        alpha / (2^b - 1), where alpha is the clip level: then only what is clipped by
        more than half a step is masked.

    Raises
    ------
    ValueError
        If `distance` is not positive.

    References
    ----------
    Panferov et al., "QuEST", arXiv 2502.05003, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> TrustMask().slope(np.array([0.3, 5.0, 6.3, 7.5]), rn.E2M1)
    array([1., 1., 1., 0.])
    >>> TrustMask(0.5).slope(np.array([0.3, 5.0, 6.3, 7.5]), rn.E2M1)
    array([1., 0., 1., 0.])
    """

    distance: float | None = None

    def __post_init__(self) -> None:
        if self.distance is not None and not self.distance > 0:
            raise ValueError(f"distance must be positive, not {self.distance}")

    def surrogate(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return the integral of the mask, equal to x at the lowest level."""
        values, levels = as_floats(x), levels_of(grid)
        trusted = self._distance(levels)
        # At most this much of either end of each interval is trusted.
        part = np.minimum(np.diff(levels) / 2, trusted)
        starts = levels[0] + np.concatenate([[0.0], np.cumsum(2 * part)])
        index = interval_of(values, levels)
        low, high, near = levels[index], levels[index + 1], part[index]
        inside = np.clip(values, low, high)
        risen = np.minimum(inside - low, near) + np.maximum(inside - (high - near), 0)
        below = np.maximum(values - levels[0], -trusted)
        above = np.minimum(values - levels[-1], trusted)
        risen += np.where(below < 0, below, 0) + np.where(above > 0, above, 0)
        return np.asarray(starts[index] + risen).astype(values.dtype)

    def slope(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return 1 within the distance of a level, 0 elsewhere."""
        values, levels = as_floats(x), levels_of(grid)
        typed = levels.astype(values.dtype)
        index = interval_of(values, typed)
        away = np.minimum(
            np.abs(values - typed[index]), np.abs(values - typed[index + 1])
        )
        return (away <= values.dtype.type(self._distance(levels))).astype(values.dtype)

    def _distance(self, levels: npt.NDArray[np.float64]) -> float:
        return (
            float(np.diff(levels).max()) / 2 if self.distance is None else self.distance
        )
