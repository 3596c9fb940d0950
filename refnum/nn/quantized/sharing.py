"""What layers of one model share: operands that are functions of their array alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.nn.quantized.operands import Taken
from refnum.recipes import Operand

__all__ = ["Shared", "is_fixed", "is_pure"]

_Array = npt.NDArray[np.floating[Any]]


class Shared:
    """The last operand made for each role, for layers that take the same array.

    Query, key and value have one input: where its operand is a function of the array
    alone, they share it. Arrays that can be written to are never shared.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[_Array, Operand, Taken]] = {}

    def find(self, role: str, array: _Array, operand: Operand) -> Taken | None:
        """Return the operand of an array, if it was the last that was made."""
        held = self._last.get(role)
        if held is None or held[1] is not operand or array.flags.writeable:
            return None
        known = _place_of(held[0]) == _place_of(array)
        return held[2] if known else None

    def keep(self, role: str, array: _Array, operand: Operand, taken: Taken) -> None:
        """Take note of an operand; the array stays alive, and its place its own."""
        if not array.flags.writeable:
            self._last[role] = array, operand, taken

    def clear(self) -> None:
        """Forget all."""
        self._last.clear()


def _place_of(array: _Array) -> tuple[Any, ...]:
    """Return where an array lies: two living arrays of one place are equal."""
    pointer = array.__array_interface__["data"][0]
    return pointer, array.shape, array.strides, array.dtype


def is_fixed(operand: Operand | None) -> bool:
    """Whether an operand is a function of its array alone."""
    if operand is None:
        return True
    drawn = operand.is_stochastic or operand.eden
    turned = operand.rotation is not None and operand.rotation.is_random
    copied = operand.source != "original"
    blocks = operand.fallback is not None and operand.fallback.block is not None
    return not (drawn or turned or copied or blocks)


def is_pure(operand: Operand | None) -> bool:
    """Whether an operand is a function of its array, the same in all layers."""
    return operand is not None and is_fixed(operand) and operand.amax.kind == "current"
