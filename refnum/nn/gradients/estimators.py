"""The differentiable gradient estimator: a root in each interval of the grid.

Vocabulary. An *interval* lies between two neighbouring levels, `low` and `low + d`, and
`c` is its middle. In each, the surrogate rises from one level to the next, and steeply
around the middle, as rounding does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from refnum.nn.gradients.grids import Floats, Grid, Place, as_floats, levels_of, power

__all__ = ["DGE", "GraphcoreDGE"]


@dataclass(frozen=True)
class DGE:
    """The differentiable gradient estimator (DGE) of Wang et al.

    With u = 2 (x - low) / d - 1, the surrogate is
    ``low + d/2 (1 + sign(u) |u|^(1/k))`` and the slope ``|u|^(1/k - 1) / k``.

    Parameters
    ----------
    k : float
        Steepness, at least 1.
    cap : float
        The largest slope.
    ends : {"released", "flat"}
        Beyond the ends. ``"released"`` is MS-AMP's code: the lowest interval goes on
        below the grid, and above it the slope is 0. ``"flat"``: 0 on both sides.
    form : {"wang", "alto"}
        The order of the operations: as above, or ALTO's
        ``(d/2)^(1 - 1/k) |x - c|^(1/k - 1) / k``. Equal but for rounding.
    smoothing : float
        A number e that makes \\|u\\| in the slope sqrt(u^2 + e^2); the surrogate stays.

    Raises
    ------
    ValueError
        If a field is out of range.

    References
    ----------
    Wang et al., arXiv 2501.17116, section 3.1; Microsoft MS-AMP, `fp4_quant`.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> dge = DGE()
    >>> dge.slope(np.array([4.0, 4.5, 5.0, 6.5]), rn.E2M1).round(3)
    array([0.2  , 0.348, 3.   , 0.   ])
    >>> dge.surrogate(np.array([4.0, 4.5, 5.0, 6.5]), rn.E2M1).round(3)
    array([4.   , 4.129, 5.   , 6.   ])
    """

    k: float = 5.0
    cap: float = 3.0
    ends: str = "released"
    form: str = "wang"
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.k < inf:
            raise ValueError(f"k must be at least 1 and finite, not {self.k}")
        if not self.cap > 0:
            raise ValueError(f"cap must be positive, not {self.cap}")
        if self.ends not in ("released", "flat"):
            raise ValueError(f"ends is {self.ends!r}; released or flat is allowed")
        if self.form not in ("wang", "alto"):
            raise ValueError(f"form is {self.form!r}; wang or alto is allowed")
        if not 0 <= self.smoothing < inf:
            raise ValueError(f"smoothing must not be negative, not {self.smoothing}")

    def surrogate(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return steps that the k-th root makes steep in their middle."""
        values, levels = as_floats(x), levels_of(grid)
        place = Place.of(values, levels, closed="left")
        u = self._relative(values, place)
        half = place.width / 2
        risen = half * (1 + np.sign(u) * power(np.abs(u), 1 / self.k))
        low, high = levels[[0, -1]].astype(values.dtype)
        result = np.where(values > high, high, place.low + risen)
        return np.where(values < low, low, result) if self.ends == "flat" else result

    def slope(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return the derivative, at most `cap`."""
        values, levels = as_floats(x), levels_of(grid)
        place = Place.of(values, levels, closed="left")
        exponent = 1 / self.k - 1
        one = values.dtype.type
        if self.form == "wang":
            steep = power(self._smooth(self._relative(values, place)), exponent)
        else:
            factors = power(np.diff(levels).astype(values.dtype) / 2, -exponent)
            away = power(self._smooth(place.away), exponent)
            steep = factors[place.interval] * away
        slope = np.minimum(steep / one(self.k), one(self.cap))
        outside = values > levels[-1]
        if self.ends == "flat":
            outside |= values < levels[0]
        return np.where(outside, one(0), slope)

    def _relative(self, x: Floats, place: Place) -> Floats:
        return np.asarray(2 * (x - place.low) / place.width - 1)

    def _smooth(self, u: Floats) -> Floats:
        if not self.smoothing:
            return np.abs(u)
        return np.asarray(np.sqrt(u * u + u.dtype.type(self.smoothing) ** 2))


@dataclass(frozen=True)
class GraphcoreDGE:
    """The same estimator as Graphcore's simulator has it, without normalisation.

    The surrogate is ``low + d/2 (1 + sign(x - c) |x - c|^(1/k))``. It reaches the
    levels only where d = 2; elsewhere it jumps at them. The slope is
    ``d/2 |x - c|^(1/k - 1) / k``, without limits: the simulator has them, 0.5 and
    10000, and does not apply them here.

    Parameters
    ----------
    k : float
        Steepness, at least 1.
    middle : {"zero", "nan"}
        The slope where x = c: 0 in the fused product, 0/0 in the autograd function.

    Raises
    ------
    ValueError
        If a field is out of range.

    See Also
    --------
    AsReleased : What the fused product does with it.

    References
    ----------
    Hu, Luschi and Balanca, arXiv 2509.17791, and its released simulator
    (`BaselineSmoothQuantFP4`, `BaselineQuantisationGrad`).

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> GraphcoreDGE().surrogate(np.array([0.0, 0.5, 4.5, 6.0]), rn.E2M1).round(3)
    array([-0.061,  0.439,  4.129,  6.   ])
    """

    k: float = 5.0
    middle: str = "zero"

    def __post_init__(self) -> None:
        if not 1 <= self.k < inf:
            raise ValueError(f"k must be at least 1 and finite, not {self.k}")
        if self.middle not in ("zero", "nan"):
            raise ValueError(f"middle is {self.middle!r}; zero or nan is allowed")

    def surrogate(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return the steps, which jump at the levels."""
        values = as_floats(x)
        place = Place.of(values, levels_of(grid), closed="right")
        root = power(np.abs(place.away), 1 / self.k)
        return place.low + place.width / 2 * (1 + np.sign(place.away) * root)

    def slope(self, x: npt.ArrayLike, grid: Grid) -> Floats:
        """Return the derivative between the levels."""
        values = as_floats(x)
        place = Place.of(values, levels_of(grid), closed="right")
        at_middle = place.away == 0
        away = np.where(at_middle, values.dtype.type(1), np.abs(place.away))
        share = place.width / 2 * values.dtype.type(1 / self.k)
        slope = share * power(away, 1 / self.k - 1)
        there = values.dtype.type(0 if self.middle == "zero" else np.nan)
        return np.where(at_middle, there, slope)
