"""`LossScale`: a loss scale that follows the range of the gradients.

The loss is multiplied by the scale before the backward pass, and gradients are divided
by it afterwards; as it is a power of two, neither rounds unless numbers leave the
range. Where a gradient overflows, the step is skipped and the scale falls; after many
good steps it rises.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LossScale"]


class LossScale:
    """A dynamic loss scale.

    Parameters
    ----------
    scale : float
        To begin with, a power of two.
    growth, backoff : float
        Factors after `interval` good steps in a row, and after an overflow.
    interval : int
        Good steps before the scale rises.

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    Micikevicius et al., "Mixed precision training", 2018, arXiv:1710.03740.

    Examples
    --------
    >>> from refnum.nn import LossScale
    >>> scaler = LossScale(interval=2)
    >>> [scaler.update(finite) for finite in (True, True, False)], scaler.scale
    ([True, True, False], 1024.0)
    """

    def __init__(
        self,
        scale: float = 2.0**10,
        *,
        growth: float = 2.0,
        backoff: float = 0.5,
        interval: int = 2000,
    ) -> None:
        for name, value in (("scale", scale), ("growth", growth), ("backoff", backoff)):
            if not 0 < value < math.inf or math.frexp(value)[0] != 0.5:
                raise ValueError(f"{name} must be a power of two, not {value}")
        if growth < 1 or backoff > 1 or interval < 1:
            raise ValueError(
                "growth is at least 1, backoff at most 1 and interval positive, "
                f"not {growth}, {backoff} and {interval}"
            )
        self.scale = float(scale)
        self.good = 0
        self.growth, self.backoff, self.interval = growth, backoff, interval

    def unscale(
        self, gradients: dict[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return gradients over the scale."""
        factor = 1 / self.scale
        return {name: g * factor for name, g in gradients.items()}

    def update(self, finite: bool) -> bool:
        """Note whether all gradients of a step were finite.

        Parameters
        ----------
        finite : bool
            No gradient has an infinity or NaN: their `global_norm` is finite.

        Returns
        -------
        bool
            Whether to take the step.
        """
        if not finite:
            self.scale = max(self.scale * self.backoff, 2.0**-126)
            self.good = 0
            return False
        self.good += 1
        if self.good == self.interval:
            self.scale = min(self.scale * self.growth, 2.0**127)
            self.good = 0
        return True

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the scale and the number of good steps in a row."""
        return {"scale": np.array(self.scale), "good": np.array(self.good, np.int64)}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned."""
        if state.keys() != {"scale", "good"}:
            raise ValueError(f"state must hold scale and good, not {sorted(state)}")
        self.scale, self.good = float(state["scale"]), int(state["good"])
