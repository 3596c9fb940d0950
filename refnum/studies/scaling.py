"""Scaling laws: what quantisation costs in parameters and in data.

The law is ``L = (A / (N effN)^a + B / (D effD)^b)^g + E`` for N parameters and D tokens.
The baseline has effN = effD = 1 and fixes A, B, a, b, g and E; a recipe then has the
*parameter efficiency* effN and the *data efficiency* effD that fit its losses best.

References
----------
Castro et al., "Quartet", arXiv 2505.14669, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FEWEST", "Efficiency", "Law", "fit_efficiency", "fit_law", "resampled"]

_Vector = npt.NDArray[np.float64]
Run = tuple[float, float, float]
_HUBER = 1e-3  # residuals of the logarithm above this count linearly
# Of log A', log B', a, b, g and log E, where A' and B' belong to N and D over their
# geometric means.
_LOW = np.array([-12.0, -12.0, 0.01, 0.01, 0.1, -12.0])
_HIGH = np.array([6.0, 6.0, 3.0, 3.0, 3.0, 6.0])
_STARTS = 12
FEWEST = 7
"""Runs that the law of a baseline needs."""


@dataclass(frozen=True)
class Law:
    """A fitted law.

    Parameters
    ----------
    log_a, log_b, a, b, g, e : float
        Logarithms of A and B for N and D over `unit_n` and `unit_d`; the exponents; E.
    unit_n, unit_d : float
        What N and D are measured in.
    error : float
        Root mean square of the logarithm's residuals.
    """

    log_a: float
    log_b: float
    a: float
    b: float
    g: float
    e: float
    unit_n: float
    unit_d: float
    error: float

    def loss(
        self,
        n: npt.ArrayLike,
        d: npt.ArrayLike,
        eff_n: float = 1.0,
        eff_d: float = 1.0,
    ) -> _Vector:
        """Return the loss for so many parameters and tokens."""
        x = np.log(np.asarray(n, np.float64) * (eff_n / self.unit_n))
        z = np.log(np.asarray(d, np.float64) * (eff_d / self.unit_d))
        inner = np.exp(self.log_a - self.a * x) + np.exp(self.log_b - self.b * z)
        return np.asarray(inner**self.g + self.e)


@dataclass(frozen=True)
class Efficiency:
    """Efficiencies of one recipe, with bounds of 95 %.

    The bounds are 1.96 standard deviations of the bootstrap's logarithms away.
    """

    eff_n: float
    eff_d: float
    low_n: float
    high_n: float
    low_d: float
    high_d: float


def fit_law(runs: Sequence[Run]) -> Law:
    """Fit the law to a baseline.

    Parameters
    ----------
    runs : sequence of (float, float, float)
        Parameters, tokens and final loss of each.

    Returns
    -------
    Law
        The best of several starts, by Huber's loss of log L.

    Raises
    ------
    ValueError
        If there are fewer than seven runs, fewer than three sizes or budgets, or a
        number is not positive and finite; or if SciPy is not installed.
    """
    points = _points(runs)
    if len(points) < FEWEST:
        raise ValueError(f"{len(points)} runs; a law of six numbers needs {FEWEST}")
    for column, what in ((0, "sizes"), (1, "budgets")):
        if len(set(points[:, column])) < 3:
            raise ValueError(f"{len(set(points[:, column]))} {what}; three are needed")
    units = np.exp(np.log(points[:, :2]).mean(axis=0))
    rng = np.random.default_rng(0)
    level = math.log(points[:, 2].min())
    starts = [np.array([-1.0, -1.0, 0.4, 0.4, 1.0, level - 0.3])]
    for _ in range(_STARTS - 1):
        draw = rng.uniform(_LOW, _HIGH)
        draw[:5] = starts[0][:5] + rng.normal(0, [1, 1, 0.2, 0.2, 0.2])
        draw[5] = level - rng.exponential(0.5)
        starts.append(np.clip(draw, _LOW + 1e-6, _HIGH - 1e-6))
    fits = [_least(points, units, start) for start in starts]
    return min(fits, key=lambda fit: fit[0])[1]


def fit_efficiency(
    law: Law, runs: Sequence[Run], laws: Sequence[Law] = (), seed: int = 0
) -> Efficiency:
    """Fit the efficiencies of a recipe under the law of its baseline.

    Parameters
    ----------
    law : Law
        Of the baseline.
    runs : sequence of (float, float, float)
        Parameters, tokens and final loss of runs of the recipe, three or more.
    laws : sequence of Law
        Of resampled baselines; see `resampled`. Each takes a resampling of the runs.
    seed : int
        Of the resampling.
    """
    points = _points(runs)
    if len(points) < 3:
        raise ValueError(f"{len(points)} runs; two efficiencies need three")
    best = _efficiencies(law, points)
    rng = np.random.default_rng(seed)
    draws = np.array(
        [
            _efficiencies(other, points[rng.integers(0, len(points), len(points))])
            for other in laws
        ]
    ).reshape(-1, 2)
    if len(draws) < 2:
        return Efficiency(*best, *[math.nan] * 4)
    center = np.log(best)
    reach = 1.96 * np.log(draws).std(axis=0, ddof=1)
    (low_n, low_d), (high_n, high_d) = np.exp([center - reach, center + reach]).tolist()
    return Efficiency(*best, low_n, high_n, low_d, high_d)


def resampled(
    law: Law, runs: Sequence[Run], draws: int = 40, seed: int = 0
) -> list[Law]:
    """Return laws of the baseline with its residuals shuffled among its runs."""
    points = _points(runs)
    fitted = law.loss(points[:, 0], points[:, 1])
    # Six fitted numbers have taken their part of the residuals.
    freedom = max(len(points) - len(_LOW), 1)
    residuals = np.log(points[:, 2] / fitted) * math.sqrt(len(points) / freedom)
    units = np.array([law.unit_n, law.unit_d])
    start = np.array([law.log_a, law.log_b, law.a, law.b, law.g, math.log(law.e)])
    start = np.clip(start, _LOW + 1e-6, _HIGH - 1e-6)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        drawn = points.copy()
        drawn[:, 2] = fitted * np.exp(rng.choice(residuals, len(points)))
        found.append(_least(drawn, units, start)[1])
    return found


def _least(points: _Vector, units: _Vector, start: _Vector) -> tuple[float, Law]:
    """Return Huber's loss and the law, from one start."""

    def law_of(p: _Vector, error: float = 0.0) -> Law:
        log_a, log_b, a, b, g, log_e = p.tolist()
        unit_n, unit_d = units.tolist()
        e = math.exp(log_e)
        return Law(log_a, log_b, a, b, g, e, unit_n, unit_d, error)

    def residuals(p: _Vector) -> _Vector:
        return np.log(law_of(p).loss(points[:, 0], points[:, 1]) / points[:, 2])

    found = _optimizer()(
        residuals,
        start,
        bounds=(_LOW, _HIGH),
        loss="huber",
        f_scale=_HUBER,
        max_nfev=400,
    )
    error = math.sqrt(float((residuals(found.x) ** 2).mean()))
    return float(found.cost), law_of(found.x, error)


def _efficiencies(law: Law, points: _Vector) -> tuple[float, float]:
    def residuals(p: _Vector) -> _Vector:
        eff_n, eff_d = np.exp(p).tolist()
        return np.log(law.loss(points[:, 0], points[:, 1], eff_n, eff_d) / points[:, 2])

    found = _optimizer()(
        residuals, np.array([-0.1, -0.1]), bounds=(-8, 3), loss="huber", f_scale=_HUBER
    )
    eff_n, eff_d = np.exp(found.x).tolist()
    return eff_n, eff_d


def _optimizer() -> Any:
    """Return SciPy's least squares, or say what is missing."""
    try:
        from scipy.optimize import least_squares
    except ImportError:
        raise ValueError(
            "a scaling law is fitted by SciPy, which is not installed: pip install scipy"
        ) from None
    return least_squares


def _points(runs: Sequence[Run]) -> _Vector:
    points = np.array(runs, np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError("runs must be a list of (parameters, tokens, loss)")
    if not (np.isfinite(points).all() and (points > 0).all()):
        raise ValueError("parameters, tokens and losses must be positive and finite")
    return points
