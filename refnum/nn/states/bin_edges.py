"""Weights near the edge of their bin, where the next small move changes their level.

A level's *bin* is what rounds to it, from the middle of the gap below to the middle of
the gap above.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refnum.nn.gradients.grids import Grid, interval_of, levels_of
from refnum.nn.states.oscillation import as_single

__all__ = ["bin_edge_reset", "bin_widths"]

_Single = npt.NDArray[np.float32]


def bin_edge_reset(
    weight: npt.ArrayLike,
    quantized: npt.ArrayLike,
    steps: npt.ArrayLike,
    grid: Grid,
    *,
    edge: float = 0.495,
) -> tuple[_Single, npt.NDArray[np.bool_]]:
    """Move weights near the edge of their bin to its level.

    Parameters
    ----------
    weight, quantized : array_like of float32
        Master weights, and the values they are quantised to.
    steps : array_like of float32
        What one unit of the grid stands for, by element.
    grid : Format or array_like
        The levels.
    edge : float
        The distance from the level, in bin widths, beyond which a weight is reset.

    Returns
    -------
    weight : ndarray of float32
        The weights after the reset.
    reset : ndarray of bool
        Which ones were.

    Raises
    ------
    TypeError
        If an array is not float32.
    ValueError
        If shapes differ or `edge` is not positive.

    References
    ----------
    TetraJet-v2, arXiv 2510.27527, and its code (`fp4_elements_centralize_BinEdge`).

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> w, ones = np.float32([2.499, 2.4]), np.ones(2, np.float32)
    >>> bin_edge_reset(w, np.float32([2.0, 2.0]), ones, rn.E2M1, edge=0.6)
    (array([2. , 2.4], dtype=float32), array([ True, False]))
    """
    if not edge > 0:
        raise ValueError(f"edge must be positive, not {edge}")
    values = as_single(weight, "weight")
    rounded = as_single(quantized, "quantized", values.shape)
    units = as_single(steps, "steps", values.shape)
    safe = np.where(units == 0, np.float32(1), units)
    level = rounded / safe
    away = np.abs(values / safe - level)
    reset = (away > bin_widths(level, grid) * np.float32(edge)) & (units != 0)
    return np.where(reset, rounded, values), reset


def bin_widths(level: npt.ArrayLike, grid: Grid) -> _Single:
    """Return the width of what rounds to each level: the mean of the gaps beside it.

    Parameters
    ----------
    level : array_like of float32
        Levels; others count as the nearest one.
    grid : Format or array_like
        All levels.

    Returns
    -------
    ndarray of float32
        Widths; of the outermost levels the one gap they have.

    Raises
    ------
    TypeError
        If `level` is not float32.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> bin_widths(np.float32([0, 1.5, 2, 3, 4, -6]), rn.E2M1)
    array([0.5 , 0.5 , 0.75, 1.  , 1.5 , 2.  ], dtype=float32)
    """
    values = as_single(level, "level")
    levels = levels_of(grid)
    gaps = np.diff(levels)
    widths = (np.append(gaps, gaps[-1]) + np.append(gaps[0], gaps)) / 2
    index = interval_of(values, levels.astype(np.float32))
    middles = ((levels[:-1] + levels[1:]) / 2).astype(np.float32)
    index += values > middles[index]
    result: _Single = widths.astype(np.float32)[index]
    return result
