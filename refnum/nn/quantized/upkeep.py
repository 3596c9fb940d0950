"""Updates of an optimiser, and what recipes do to master weights around them.

Q-Ramping stands before and after the update: it gathers gradients, and of weights that
are not due it takes the update back. OsciReset comes after: now and then it sets
weights that oscillate to their quantised values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from refnum.nn.optimizers import Optimizer
from refnum.nn.quantized.products import QuantizedProducts
from refnum.nn.states.oscillation_reset import ResetState
from refnum.nn.states.ramping import RampingState, Update
from refnum.recipes import OscillationReset, Ramping

__all__ = ["Upkeep"]

_Array = npt.NDArray[np.floating[Any]]
_Gradients = Mapping[str, npt.NDArray[Any]]
State = dict[str, npt.NDArray[Any]]


class _Ramped(NamedTuple):
    """An update of a parameter, and what it was before."""

    update: Update
    weight: _Array
    slots: list[_Array]


class Upkeep:
    """What is remembered of the master weights of layers whose recipes ask for it."""

    def __init__(self) -> None:
        self._states: dict[str, RampingState | ResetState] = {}

    def update(
        self,
        optimizer: Optimizer,
        gradients: _Gradients,
        learning_rate: float,
        layers: Mapping[str, tuple[str, QuantizedProducts]],
        step: int,
    ) -> None:
        """Make a step of an optimiser.

        Parameters
        ----------
        optimizer : Optimizer
            What moves the weights.
        gradients : mapping of str to ndarray
            Of all its parameters.
        learning_rate : float
            Of this step.
        layers : mapping of str to (str, QuantizedProducts)
            The layer of each parameter that is the weight of a quantised one: its name
            and its products.
        step : int
            Its number.
        """
        kept = {
            parameter: place
            for parameter, place in layers.items()
            if place[1].recipe.upkeep is not None
        }
        ramped = {}
        for parameter, (layer, products) in kept.items():
            state = self._state_of(layer, optimizer, parameter, products)
            if isinstance(state, RampingState):
                self._calibrate(state, optimizer, parameter, products, first=True)
                update = state.gather(np.asarray(gradients[parameter], np.float32))
                ramped[parameter] = _before(optimizer, parameter, update)
        means = {parameter: one.update.gradient for parameter, one in ramped.items()}
        optimizer.step({**gradients, **means}, learning_rate)
        for parameter, one in ramped.items():
            _take_back(optimizer, parameter, one)
        for parameter, (layer, products) in kept.items():
            state = self._states[layer]
            if isinstance(state, RampingState):
                self._calibrate(state, optimizer, parameter, products, first=False)
            else:
                _reset(state, optimizer, parameter, products, step)

    def state(self) -> State:
        """Return all that later steps depend on, by layer and field."""
        return {
            f"{layer}/{field}": value
            for layer, state in self._states.items()
            for field, value in state.state().items()
        }

    def load_state(
        self,
        layer: str,
        arrays: Mapping[str, npt.NDArray[Any]],
        rule: Ramping | OscillationReset | None,
        shape: tuple[int, ...],
    ) -> None:
        """Take over what `state` returned for one layer; nothing forgets it.

        Raises
        ------
        ValueError
            If the recipe has no upkeep, or an array is of another state.
        """
        self._states.pop(layer, None)
        if not arrays:
            return
        if rule is None:
            raise ValueError(f"{layer} has no upkeep that takes {sorted(arrays)}")
        state = _fresh(rule, shape)
        state.load_state(arrays)
        self._states[layer] = state

    def _state_of(
        self,
        layer: str,
        optimizer: Optimizer,
        parameter: str,
        products: QuantizedProducts,
    ) -> RampingState | ResetState:
        rule = products.recipe.upkeep
        assert rule is not None
        found = self._states.get(layer)
        if found is None or found.rule != rule:
            found = _fresh(rule, optimizer.parameters[parameter].shape)
            self._states[layer] = found
        return found

    @staticmethod
    def _calibrate(
        state: RampingState,
        optimizer: Optimizer,
        parameter: str,
        products: QuantizedProducts,
        first: bool,
    ) -> None:
        """Show a state the weights before its first step, and after each of some."""
        if state.calibrated or state.begun == first:
            return
        weight = optimizer.parameters[parameter].data
        state.calibrate(weight, products.quantized_weight(weight))


def _fresh(
    rule: Ramping | OscillationReset, shape: tuple[int, ...]
) -> RampingState | ResetState:
    if isinstance(rule, Ramping):
        return RampingState(shape, rule)
    return ResetState(shape, rule)


def _before(optimizer: Optimizer, parameter: str, update: Update) -> _Ramped:
    """Return an update with what it may have to take back."""
    if (update.factor == 1).all():
        return _Ramped(update, np.empty(0, np.float32), [])
    weight = optimizer.parameters[parameter].data.copy()
    slots = [slot.copy() for slot in optimizer.slots_of(parameter)]
    return _Ramped(update, weight, slots)


def _take_back(optimizer: Optimizer, parameter: str, ramped: _Ramped) -> None:
    """Leave weights that are not due as they were, and move the others further."""
    due, factor = ramped.update.due, ramped.update.factor
    if not ramped.weight.size:
        return
    tensor = optimizer.parameters[parameter]
    with np.errstate(all="ignore"):
        moved = ramped.weight + factor * (tensor.data - ramped.weight)
    moved = np.where(factor == 1, tensor.data, moved)
    tensor.data = np.where(due, moved, ramped.weight)
    for slot, before in zip(optimizer.slots_of(parameter), ramped.slots, strict=True):
        np.copyto(slot, before, where=~due)


def _reset(
    state: RampingState | ResetState,
    optimizer: Optimizer,
    parameter: str,
    products: QuantizedProducts,
    step: int,
) -> None:
    """Show a state the weights after a step, and set those that it says oscillate."""
    assert isinstance(state, ResetState)
    if not state.wants(step):
        return
    tensor = optimizer.parameters[parameter]
    quantized = products.quantized_weight(tensor.data)
    found = state.advance(tensor.data, quantized, step)
    if found is not None and found.any():
        tensor.data = np.where(found, quantized, tensor.data)
