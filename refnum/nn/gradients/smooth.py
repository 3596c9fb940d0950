"""Relaxations of Graphcore's simulator: sigmoids, a spline, and its mask.

Vocabulary. An *interval* lies between two neighbouring levels, `low` and `low + d`, and
`c` is its middle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import sigmoid
from refnum.nn.gradients.estimators import GraphcoreDGE
from refnum.nn.gradients.grids import (
    Floats,
    Grid,
    Place,
    as_floats,
    interval_of,
    levels_of,
    nearest_levels,
)
from refnum.nn.gradients.relaxations import Relaxation

__all__ = ["AsReleased", "SigmoidSteps", "SplineSteps"]


@dataclass(frozen=True)
class SigmoidSteps:
    """A sigmoid in each interval: ``low + d sigmoid((x - c) (12 / d) / T)``.

    Parameters
    ----------
    temperature : float
        T: the smaller, the steeper.
    lower, upper : float
        Limits of the slope ``12 s (1 - s) / T``, whose peak is 3 / T. Graphcore's
        training runs take 0.5 and 10000, its figures 1 and 25.

    Raises
    ------
    ValueError
        If a field is out of range.

    References
    ----------
    Hu, Luschi and Balanca, arXiv 2509.17791, and its released simulator.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> SigmoidSteps().slope(np.array([4.0, 4.9, 5.0]), rn.E2M1).round(3)
    array([0.5  , 4.269, 6.   ])
    """

    temperature: float = 0.5
    lower: float = 0.5
    upper: float = 10000.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < inf:
            raise ValueError(f"temperature must be positive, not {self.temperature}")
        _check_limits(self.lower, self.upper)

    def surrogate(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return steps that are sigmoids."""
        values = as_floats(x)
        place = Place.of(values, levels_of(grid), closed="right")
        return place.low + place.width * self._share(place)

    def slope(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return the derivative, within the limits."""
        values = as_floats(x)
        s = self._share(Place.of(values, levels_of(grid), closed="right"))
        steep = s * (1 - s) * values.dtype.type(12 / self.temperature)
        return _limited(steep, self.lower, self.upper)

    def _share(self, place: Place) -> Floats:
        one = place.away.dtype.type
        share: Floats = sigmoid(place.away * (12 / place.width) / one(self.temperature))
        return share


@dataclass(frozen=True)
class SplineSteps:
    """The straight lines between samples of the rounding itself.

    Parameters
    ----------
    samples : int
        How many, evenly spaced from the lowest level to the highest.
    lower, upper : float
        Limits of the slope, as for `SigmoidSteps`.

    Raises
    ------
    ValueError
        If there are fewer than two samples, or the limits cross.

    Notes
    -----
    The outermost lines go on beyond the ends. A sample is rounded to nearest: of a
    `Format` ties to even, of other grids ties to the lower level.

    References
    ----------
    Hu, Luschi and Balanca, arXiv 2509.17791, and its released simulator.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> SplineSteps(lower=0).slope(np.array([0.0, 0.3, 4.5, 4.95]), rn.E2M1)
    array([0.   , 1.625, 0.   , 6.5  ])
    """

    samples: int = 40
    lower: float = 0.5
    upper: float = 10000.0

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise ValueError(f"a spline has 2 samples or more, not {self.samples}")
        _check_limits(self.lower, self.upper)

    def surrogate(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return the lines."""
        values = as_floats(x)
        knots, heights, slopes = self._lines(grid, values.dtype)
        index = interval_of(values, knots)
        with np.errstate(invalid="ignore"):  # an infinity on a flat line has no place
            rise = slopes[index] * (values - knots[index])
        return heights[index] + rise

    def slope(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return the slope of each value's line, within the limits."""
        values = as_floats(x)
        knots, _, slopes = self._lines(grid, values.dtype)
        return _limited(slopes, self.lower, self.upper)[interval_of(values, knots)]

    def _lines(self, grid: Grid, dtype: np.dtype[Any]) -> tuple[Floats, Floats, Floats]:
        levels = levels_of(grid)
        knots = np.linspace(levels[0], levels[-1], self.samples)
        heights = nearest_levels(knots, grid)
        slopes = np.diff(heights) / np.diff(knots)
        return knots.astype(dtype), heights.astype(dtype), slopes.astype(dtype)


@dataclass(frozen=True)
class AsReleased:
    """A relaxation behind the mask of Graphcore's fused product.

    The mask is the wrong way round: within the grid, up to its largest level, the
    slope is 1, and the relaxation holds at and above that level alone.

    Parameters
    ----------
    relaxation : Relaxation
        What was meant to hold within the grid.

    References
    ----------
    The released simulator of Hu, Luschi and Balanca, arXiv 2509.17791
    (`BaselineQuantisationGrad` and its siblings).

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> AsReleased(GraphcoreDGE()).slope(np.array([4.9, 6.0, 7.0]), rn.E2M1).round(3)
    array([1.   , 0.2  , 0.115])
    """

    relaxation: Relaxation = field(default_factory=GraphcoreDGE)

    def surrogate(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return x up to the largest level, and from there on the relaxation's rise."""
        values, top = as_floats(x), levels_of(grid)[-1:]
        top = top.astype(values.dtype)
        inner = self.relaxation.surrogate(np.maximum(values, top), grid)
        risen = inner - self.relaxation.surrogate(top, grid)
        return np.where(values < top, values, top + risen)

    def slope(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return 1 below the largest level, and the relaxation's slope from it on."""
        values, top = as_floats(x), levels_of(grid)[-1]
        inner = self.relaxation.slope(values, grid)
        return np.where(values < top, values.dtype.type(1), inner)


def _check_limits(lower: float, upper: float) -> None:
    if not 0 <= lower <= upper:
        raise ValueError(f"limits must rise from 0 or more, not {lower} to {upper}")


def _limited(slope: Floats, lower: float, upper: float) -> Floats:
    return np.clip(slope, slope.dtype.type(lower), slope.dtype.type(upper))
