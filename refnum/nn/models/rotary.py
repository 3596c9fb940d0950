"""Rotary positions: pairs of features turned by an angle that grows with the position.

Feature i of a head of size D forms a pair with feature i + D/2. At position t the pair
is turned by the angle ``t * base ** (-2 i / D)``, so that products of queries and keys
depend on the distance of their positions alone. The angles are float32 products of
float32 frequencies, as in LLaMA's usual code; sines and cosines are those of
`refnum.elementary`, whatever the numerics.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum import elementary
from refnum.autograd import Operation

__all__ = ["frequencies", "rotary", "rotary_tables"]

_Single = npt.NDArray[np.float32]


def frequencies(size: int, base: float = 10000.0) -> _Single:
    """Return the angle of each pair at position one.

    Parameters
    ----------
    size : int
        Features of a head, an even number.
    base : float
        Of the powers; greater than one.

    Returns
    -------
    ndarray of float32, shape (size // 2,)
        ``base ** (-2 i / size)``, correctly rounded.

    Raises
    ------
    ValueError
        If `size` is not even and positive, or `base` not greater than one.

    Examples
    --------
    >>> frequencies(4)
    array([1.  , 0.01], dtype=float32)
    """
    if size < 2 or size % 2:
        raise ValueError(f"rotary positions need an even size, not {size}")
    if not 1 < base < math.inf:
        raise ValueError(f"base must be greater than one, not {base}")
    with localcontext() as context:
        context.prec = 40
        exponents = [Decimal(-2 * i) / size for i in range(size // 2)]
        powers = [Decimal(base) ** exponent for exponent in exponents]
    return np.array([float(p) for p in powers]).astype(np.float32)


def rotary_tables(length: int, size: int, base: float = 10000.0) -> _Single:
    """Return cosines and sines of all positions.

    Parameters
    ----------
    length : int
        How many positions.
    size : int
        Features of a head.
    base : float
        Of the powers.

    Returns
    -------
    ndarray of float32, shape (2, length, size // 2)
        Cosines, then sines.

    Raises
    ------
    ValueError
        As `frequencies`.
    """
    steps = np.arange(length, dtype=np.float32)[:, np.newaxis]
    angles = steps * frequencies(size, base)
    return np.stack([elementary.cos(angles), elementary.sin(angles)])


def _turn(x: Any, cos: Any, sin: Any) -> Any:
    """Return pairs turned; the result has the memory layout of x."""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    out = np.empty_like(x)
    np.multiply(first, cos, out=out[..., :half])
    out[..., :half] -= second * sin
    np.multiply(second, cos, out=out[..., half:])
    out[..., half:] += first * sin
    return out


_rotary: Operation = Operation(
    "rotary",
    _turn,
    "x",
    "cos sin",
    x=lambda g, cos, sin: _rotary(g, cos, -sin),
)


def rotary(x: Any, tables: _Single) -> Any:
    """Turn the pairs of each position.

    Parameters
    ----------
    x : Tensor or array, shape (..., T, D)
        Queries or keys of positions 0 to T - 1.
    tables : ndarray, shape (2, length, D // 2)
        Of `rotary_tables`, for at least T positions.

    Returns
    -------
    Tensor or ndarray, shape (..., T, D)
        The turned features.

    Raises
    ------
    ValueError
        If the tables do not fit.

    References
    ----------
    Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021,
    arXiv:2104.09864.

    Examples
    --------
    >>> from refnum.autograd import Tensor
    >>> rotary(Tensor([[1.0, 0.0], [1.0, 0.0]]), rotary_tables(2, 2)).data
    array([[1.        , 0.        ],
           [0.5403023 , 0.84147096]], dtype=float32)
    """
    length, size = x.shape[-2:]
    if tables.shape[1] < length or 2 * tables.shape[2] != size:
        raise ValueError(
            f"tables of shape {tables.shape} do not fit x of shape {x.shape}"
        )
    cos, sin = tables[:, :length].astype(x.dtype, copy=False)
    return _rotary(x, cos, sin)
