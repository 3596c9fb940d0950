"""The ratio of a gradient to the noise that quantisation adds to it."""

from __future__ import annotations

from math import inf, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["gradient_to_noise"]


def gradient_to_noise(quantized: npt.ArrayLike, exact: npt.ArrayLike) -> float:
    """Return ``|g| / (sigma sqrt(d))`` of a gradient g with d elements.

    Parameters
    ----------
    quantized, exact : array_like
        The gradient by quantised products, and without quantisation.

    Returns
    -------
    float
        The norm of the exact gradient over that of the difference: sigma is the root
        mean square of the noise, so ``sigma sqrt(d)`` is its norm. Infinite without
        noise, 0 without a gradient.

    Raises
    ------
    ValueError
        If shapes differ.

    Notes
    -----
    A step of size eta along g + noise lowers the loss by about
    ``eta |g|^2 - eta^2 / 2 (g H g + sigma^2 tr H)``; four-bit training stops being
    effective where the ratio falls below sqrt(3). Squares are added in float64 from
    the left.

    References
    ----------
    Chmiel et al., "FP4 All the Way", arXiv 2505.19115, section 4.

    Examples
    --------
    >>> gradient_to_noise([3.0, 5.0], [3.0, 4.0])
    5.0
    """
    found = np.asarray(quantized, np.float64)
    wanted = np.asarray(exact, np.float64)
    if found.shape != wanted.shape:
        raise ValueError(f"gradients of shapes {found.shape} and {wanted.shape} differ")
    noise, signal = _squares(found - wanted), _squares(wanted)
    if noise == 0:
        return inf if signal else 0.0
    return sqrt(signal / noise)


def _squares(x: npt.NDArray[np.float64]) -> float:
    flat: npt.NDArray[Any] = (x * x).reshape(-1)
    return float(np.add.accumulate(flat)[-1]) if flat.size else 0.0
