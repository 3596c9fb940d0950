"""The largest magnitudes under a layer's tensor scales: current, delayed or held.

A *reference* belongs to one array of the layer, or to one role where that rotates the
array first: dgrad and wgrad share the reference of dY.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.nn.states.amax import DelayedAmax, HeldAmax
from refnum.recipes import ROLES, Amax, Operand

__all__ = ["TensorAmax"]

Single = npt.NDArray[np.float32]
State = dict[str, npt.NDArray[Any]]


class TensorAmax:
    """References of one layer, over time."""

    def __init__(self) -> None:
        self._step = 0
        self._found: dict[tuple[str, int, str], HeldAmax | DelayedAmax] = {}

    def begin(self, step: int) -> None:
        """Say that a step begins. A step before the last one forgets all references."""
        if step < self._step:
            self._found.clear()
        self._step = step

    def read(self, role: str, operand: Operand, x: Single) -> np.float32 | None:
        """Return the reference of an operand, None for the array's own.

        Parameters
        ----------
        role : str
            Which operand.
        operand : Operand
            What the recipe says about it.
        x : ndarray of float32
            What is quantised, rotated.
        """
        amax = operand.amax
        if amax.kind == "current":
            return None
        tensor = ROLES[role].tensor if operand.rotation is None else role
        key = amax.kind, amax.period, tensor
        reference = self._found.setdefault(key, _fresh(amax))
        own = np.float32(0)
        if not isinstance(reference, HeldAmax) or reference.needs(self._step):
            own = _largest(x)
        found = reference.reference(own, self._step)
        return None if np.isnan(found) else found

    def state(self) -> State:
        """Return all that later steps depend on."""
        return {
            f"{kind}.{period}.{tensor}.{field}": value
            for (kind, period, tensor), reference in self._found.items()
            for field, value in reference.state().items()
        }

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over what `state` returned.

        Raises
        ------
        ValueError
            If a name or an array is none of a state.
        """
        parts: dict[tuple[str, int, str], State] = {}
        for name, value in state.items():
            kind, period, tensor, field = [*name.split("."), "", "", ""][:4]
            if kind not in ("held", "delayed") or not period.isdecimal():
                raise ValueError(f"unknown state {name!r} of tensor references")
            parts.setdefault((kind, int(period), tensor), {})[field] = value
        found = {}
        for key, arrays in parts.items():
            found[key] = _fresh(Amax(key[0], key[1]))
            found[key].load_state(arrays)
        self._found = found


def _fresh(amax: Amax) -> HeldAmax | DelayedAmax:
    if amax.kind == "held":
        return HeldAmax(amax.period, first=1)  # steps count from 1
    return DelayedAmax(amax.period)


def _largest(x: Single) -> np.float32:
    """Return the largest magnitude, NaN if there is one."""
    if not x.size:
        return np.float32(0)
    return np.float32(np.maximum(np.max(x), -np.min(x))) + np.float32(0)
