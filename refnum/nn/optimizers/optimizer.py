"""`Optimizer`: what all have in common, flat arrays and rounded state.

All parameters lie one after another in one float32 array of *master weights*, and so do
the gradients and each *slot* of the state (a momentum, say). An update goes over a
*piece* of all of them at a time, small enough to stay in the cache. Only + - * / and
sqrt of float32 are used, on each element alone, so that neither pieces nor machines
matter. After each update the state is rounded to a format, if one was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Tensor
from refnum.blocks import BlockFormat, fake_quantize
from refnum.formats import FP32, Format, round_to

__all__ = ["Optimizer", "Piece", "in_range"]

_Single = npt.NDArray[np.float32]
_State = dict[str, npt.NDArray[Any]]

_PIECE = 1 << 14  # elements: six arrays of them are 400 KB


class Piece:
    """Views of the same elements of weights, gradients, slots and scratch space."""

    __slots__ = ("decays", "gradient", "scratch", "slots", "weights")

    def __init__(
        self,
        part: slice,
        weights: _Single,
        gradient: _Single,
        slots: list[_Single],
        scratch: list[_Single],
        decays: bool,
    ) -> None:
        self.weights, self.gradient = weights[part], gradient[part]
        self.slots = [slot[part] for slot in slots]
        self.scratch = [one[: self.weights.size] for one in scratch]
        self.decays = decays


class Optimizer:
    """The base of all optimisers; each says how to update a piece.

    Parameters
    ----------
    parameters : mapping of str to Tensor
        As `refnum.nn.parameters` returns them, of float32.
    weight_decay : float
        How strongly weights are drawn to zero.
    decays_vectors : bool
        Whether parameters of one axis, biases and gains, decay too.
    state_format : Format or BlockFormat
        What the state is rounded to after each update, to nearest even as the format's
        usual cast says. Blocks go along the last axis of each parameter.

    Raises
    ------
    TypeError
        If a parameter is not float32.
    ValueError
        If there is none, or `weight_decay` is negative.

    Notes
    -----
    A step gives each parameter a new array: what was computed from the old one keeps
    it. Values set from outside between steps are taken over.
    """

    slots: tuple[str, ...] = ()
    """Names of the arrays of state."""

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        weight_decay: float = 0.0,
        decays_vectors: bool = True,
        state_format: Format | BlockFormat = FP32,
    ) -> None:
        if not parameters:
            raise ValueError("there are no parameters to optimise")
        for name, tensor in parameters.items():
            if tensor.dtype != np.float32:
                raise TypeError(f"{name} must be float32, not {tensor.dtype}")
        self.parameters = dict(parameters)
        self.weight_decay = in_range("weight_decay", weight_decay, 0, math.inf)
        self.state_format = state_format
        self.count = 0
        """Steps so far."""
        decayed = {n: decays_vectors or t.ndim > 1 for n, t in parameters.items()}
        self._places = _laid_out(self.parameters, decayed)
        self._size = max(place.stop for place in self._places.values())
        self._weights = np.empty(self._size, np.float32)
        self._gradient = np.empty(self._size, np.float32)
        self._seen: dict[str, Any] = {}
        self._slots = [np.zeros(self._size, np.float32) for _ in self.slots]
        scratch = [np.empty(_PIECE, np.float32) for _ in range(2)]
        self._pieces = [
            Piece(part, self._weights, self._gradient, self._slots, scratch, decays)
            for part, decays in _cut(self._places, decayed)
        ]

    def step(
        self, gradients: Mapping[str, npt.NDArray[Any]], learning_rate: float
    ) -> None:
        """Move all parameters.

        Parameters
        ----------
        gradients : mapping of str to ndarray
            Of each parameter, with its shape, in float32; left as they are.
        learning_rate : float
            Of this step.

        Raises
        ------
        ValueError
            If names or shapes are not those of the parameters, or `learning_rate` is
            not a finite number from zero; nothing changes then.
        """
        rate = in_range("learning_rate", learning_rate, 0, math.inf)
        self._gather(gradients)
        self.count += 1
        with np.errstate(all="ignore"):
            self._begin(rate)
            for piece in self._pieces:
                self._update(piece, rate)
        self._round_state()
        for name, tensor in self.parameters.items():
            tensor.data = self._weights[self._places[name]].reshape(tensor.shape)
            self._seen[name] = tensor.data

    def slots_of(self, name: str) -> list[_Single]:
        """Return views of the state of a parameter, in the order of `slots`."""
        shape, place = self.parameters[name].shape, self._places[name]
        return [slot[place].reshape(shape) for slot in self._slots]

    def state(self) -> _State:
        """Return all that the next step depends on, beside parameters.

        Returns
        -------
        dict of str to ndarray
            Copies: ``count``, and ``slot/parameter`` for each slot and parameter.
        """
        state: _State = {"count": np.array(self.count, np.int64)}
        for slot, array in zip(self.slots, self._slots, strict=True):
            for name, tensor in self.parameters.items():
                part = array[self._places[name]].reshape(tensor.shape)
                state[f"{slot}/{name}"] = part.copy()
        return state | self._more_state()

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned.

        Parameters
        ----------
        state : mapping of str to ndarray
            Of an optimiser of this kind with the same parameters.

        Raises
        ------
        ValueError
            If names, shapes or types differ; nothing changes then.
        """
        wanted = self.state()
        if different := sorted(wanted.keys() ^ state.keys()):
            raise ValueError(f"states differ in {', '.join(different[:5])}")
        for name, like in wanted.items():
            found = np.asarray(state[name])
            if (found.shape, found.dtype) != (like.shape, like.dtype):
                raise ValueError(
                    f"{name} is {like.dtype} of shape {like.shape}, "
                    f"not {found.dtype} of shape {found.shape}"
                )
        self.count = int(state["count"])
        for slot, array in zip(self.slots, self._slots, strict=True):
            for name in self.parameters:
                array[self._places[name]] = state[f"{slot}/{name}"].reshape(-1)
        self._load_more(state)

    def _begin(self, rate: float) -> None:
        """Prepare a step, once the gradients are gathered."""

    def _update(self, piece: Piece, rate: float) -> None:
        """Move one piece of the weights, and its state, in place."""
        raise NotImplementedError

    def _more_state(self) -> _State:
        """Return what state there is beside slots."""
        return {}

    def _load_more(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take what `_more_state` returned."""

    def _gather(self, gradients: Mapping[str, npt.NDArray[Any]]) -> None:
        """Copy gradients, and weights set from outside, to the flat arrays."""
        if different := sorted(self.parameters.keys() ^ gradients.keys()):
            raise ValueError(
                f"gradients and parameters differ in {', '.join(different[:5])}"
            )
        for name, tensor in self.parameters.items():
            if gradients[name].shape != tensor.shape:
                raise ValueError(
                    f"the gradient of {name} must have the shape {tensor.shape}, "
                    f"not {gradients[name].shape}"
                )
        for name, tensor in self.parameters.items():
            place, shape = self._places[name], tensor.shape
            self._gradient[place].reshape(shape)[...] = gradients[name]
            if self._seen.get(name) is not tensor.data:
                self._weights[place] = tensor.data.reshape(-1)

    def _round_state(self) -> None:
        fmt = self.state_format
        if fmt == FP32:
            return
        for array in self._slots:
            if isinstance(fmt, Format):
                array[:] = round_to(array, fmt)
                continue
            for name, tensor in self.parameters.items():
                part = array[self._places[name]].reshape(tensor.shape or (1,))
                part[...] = fake_quantize(part, fmt, axis=-1)


def in_range(name: str, value: float, least: float, end: float) -> float:
    """Return a float from `least` to below `end`; raise ValueError with its name."""
    if not least <= value < end:
        raise ValueError(f"{name} must be from {least} to below {end}, not {value}")
    return float(value)


def _laid_out(
    parameters: Mapping[str, Tensor], decayed: Mapping[str, bool]
) -> dict[str, slice]:
    """Return where each parameter lies: those that decay come first."""
    places, start = {}, 0
    for name in sorted(parameters, key=lambda n: not decayed[n]):
        stop = start + parameters[name].size
        places[name] = slice(start, stop)
        start = stop
    return places


def _cut(
    places: Mapping[str, slice], decayed: Mapping[str, bool]
) -> list[tuple[slice, bool]]:
    """Return pieces that cover all parameters, each with or without decay."""
    end = max(place.stop for place in places.values())
    turn = max((places[n].stop for n in places if decayed[n]), default=0)
    return [
        (slice(start, min(start + _PIECE, stop)), decays)
        for first, stop, decays in ((0, turn, True), (turn, end, False))
        for start in range(first, stop, _PIECE)
    ]
