"""Q-EMA in a layer: forward weights are rounded towards their moving average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import dequantize
from refnum.formats import encode
from refnum.nn.gradients.block_pass import element_steps
from refnum.nn.quantized.operands import Taken
from refnum.nn.states.oscillation import AveragedWeight, round_towards_average
from refnum.recipes import Operand

__all__ = ["AveragedRounding"]

State = dict[str, npt.NDArray[Any]]


class AveragedRounding:
    """The average of one layer's weight, and rounding by it.

    References
    ----------
    Chen et al., TetraJet, arXiv 2502.20853: Q-EMA.
    """

    def __init__(self) -> None:
        self._average: AveragedWeight | None = None
        self._step: int | None = None

    def round(
        self,
        taken: Taken,
        weight: npt.NDArray[np.floating[Any]],
        operand: Operand,
        step: int,
    ) -> Taken:
        """Return the operand rounded towards the average, once that is warm.

        The average takes in the weight at the first call of each step but the first.

        Parameters
        ----------
        taken : Taken
            The operand rounded to nearest, with its codes.
        weight : ndarray, shape (N, K)
            What it is made from.
        operand : Operand
            What the recipe says about it.
        step : int
            Of training.
        """
        single = np.asarray(weight, np.float32)
        if self._average is None:
            self._average = AveragedWeight(single, operand.average)
        elif step != self._step:
            self._average.update(single)
        self._step = step
        if not self._average.ready:
            return taken
        q = taken.quantized
        assert q is not None
        steps = element_steps(q)
        with np.errstate(all="ignore"):
            scaled, average = single / steps, self._average.average / steps
        element = q.format.element
        codes = encode(round_towards_average(scaled, average, element), element)
        q = replace(q, codes=codes)
        return replace(taken, quantized=q, values=dequantize(q))

    def state(self) -> State:
        """Return the average and how many steps are in it; nothing before the first."""
        return {} if self._average is None else self._average.state()

    def load_state(self, state: Mapping[str, npt.NDArray[Any]], decay: float) -> None:
        """Take over what `state` returned.

        Raises
        ------
        ValueError
            If an array is missing, unknown or of another type or shape.
        """
        self._average, self._step = None, None
        if not state:
            return
        if "average" not in state:
            raise ValueError("the state of an average has no average")
        average = AveragedWeight(np.asarray(state["average"], np.float32), decay)
        average.load_state(state)
        self._average = average
