"""The norm of all gradients together, and gradients scaled down to a norm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["clip_by_global_norm", "global_norm", "sum_of_squares"]

_Array = npt.NDArray[np.floating[Any]]
_CHUNK = 1 << 14  # elements: float64 copies stay in the cache


def sum_of_squares(x: _Array) -> float:
    """Return the sum of squares in float64, in an order that is part of its definition.

    The squares of float32 are exact. So many elements at a time, in C order, are added
    pairwise, as `refnum.elementary.sum` does; these sums are then added exactly and
    rounded once. An element that is not finite gives an infinity or NaN.
    """
    flat = np.ascontiguousarray(x).reshape(-1)
    parts = []
    for start in range(0, flat.size, _CHUNK):
        wide = flat[start : start + _CHUNK].astype(np.float64)
        wide *= wide
        parts.append(float(np.add.reduce(wide)))
    return math.fsum(parts) if all(map(math.isfinite, parts)) else sum(parts)


def global_norm(gradients: Mapping[str, _Array]) -> float:
    """Return the Euclidean norm of all gradients together.

    Parameters
    ----------
    gradients : mapping of str to ndarray
        Of float32.

    Returns
    -------
    float
        Infinity or NaN if, and only if, an element is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> global_norm({"a": np.float32([3.0]), "b": np.float32([[4.0]])})
    5.0
    """
    squares = [sum_of_squares(g) for g in gradients.values()]
    finite = all(map(math.isfinite, squares))
    return math.sqrt(math.fsum(squares)) if finite else sum(squares)


def clip_by_global_norm(
    gradients: Mapping[str, _Array], largest: float
) -> tuple[dict[str, _Array], float]:
    """Scale gradients down so that their norm is at most `largest`.

    Parameters
    ----------
    gradients : mapping of str to ndarray
        Of float32.
    largest : float
        Norm allowed; positive.

    Returns
    -------
    clipped : dict of str to ndarray
        Each gradient times the float32 nearest ``largest / norm``, or the gradients
        themselves if the norm is no larger, or not finite.
    norm : float
        Before clipping.

    Raises
    ------
    ValueError
        If `largest` is not positive and finite.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
    networks", 2013, arXiv:1211.5063.

    Examples
    --------
    >>> import numpy as np
    >>> clip_by_global_norm({"a": np.float32([3.0, 4.0])}, 1.0)
    ({'a': array([0.6, 0.8], dtype=float32)}, 5.0)
    """
    if not 0 < largest < math.inf:
        raise ValueError(f"largest must be positive and finite, not {largest}")
    norm = global_norm(gradients)
    if not largest < norm < math.inf:
        return dict(gradients), norm
    factor = np.float32(largest / norm)
    return {name: g * factor for name, g in gradients.items()}, norm
