"""OutControl in a layer: outlier channels of its input in a wider format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import BlockFormat, ChosenFormat
from refnum.nn.quantized.operands import Taken, take
from refnum.nn.quantized.rounding_words import Site, bits_of
from refnum.nn.states.outlier_channels import ChannelRecorder, mixed_values
from refnum.recipes import ROLES, Channels, Operand

__all__ = ["WideChannels", "columns"]

_Array = npt.NDArray[np.floating[Any]]
State = dict[str, npt.NDArray[Any]]

_MIXED = ("fprop_x", "fprop_w", "wgrad_x")


class WideChannels:
    """The outlier channels of one layer.

    In fprop, the columns of X and W of these channels are quantised apart, in the
    wider format. In wgrad, so are those of X, and the columns of dW that they yield
    come from dY in the wider format. Dgrad stays narrow.

    References
    ----------
    TetraJet-v2, arXiv 2510.27527: OutControl.
    """

    def __init__(self) -> None:
        self._recorder: ChannelRecorder | None = None

    def record(self, x: _Array, rule: Channels, step: int) -> None:
        """Take note of an input."""
        if self._recorder is None:
            self._recorder = ChannelRecorder(x.shape[1], rule)
        self._recorder.record(np.asarray(x, np.float32), step)

    def outliers(self, step: int) -> npt.NDArray[np.intp] | None:
        """Return the outlier channels, None as long as there are no norms to go by."""
        recorder = self._recorder
        if recorder is None or not recorder.state()["norms"].any():
            return None
        return recorder.outliers(step)

    def widen(
        self, taken: Taken, role: str, operand: Operand, rule: Channels, site: Site
    ) -> Taken:
        """Return the operand with its outlier channels in the wider format."""
        chosen = self.outliers(site.step)
        if chosen is None or role not in _MIXED:
            return taken
        narrow, random = operand.block_format, None
        assert narrow is not None
        if operand.is_stochastic:
            bits = operand.element_cast.random_bits
            assert bits is not None
            random = bits_of(site.stream(role), taken.source.shape, bits)
        values = mixed_values(
            taken.source,
            chosen,
            narrow,
            _wide(rule),
            axis=ROLES[role].axis,
            random=random,
        )
        return replace(taken, values=values, quantized=None)

    def gradient_operand(
        self, dy: _Array, operand: Operand, rule: Channels, site: Site
    ) -> Taken:
        """Return dY in the wider format, rotated as wgrad's operands are, to nearest."""
        wide = Operand(_wide(rule), rotation=operand.rotation)
        return take(dy, "wgrad_dy", wide, site)

    def state(self) -> State:
        """Return the recorded norms; nothing before the first."""
        return {} if self._recorder is None else self._recorder.state()

    def load_state(
        self, state: Mapping[str, npt.NDArray[Any]], rule: Channels | None
    ) -> None:
        """Take over what `state` returned.

        Raises
        ------
        ValueError
            If an array is missing, unknown or of another type or shape, or the recipe
            has no outlier channels.
        """
        self._recorder = None
        if not state:
            return
        if rule is None or "norms" not in state:
            raise ValueError(f"no outlier channels take the state of {sorted(state)}")
        recorder = ChannelRecorder(len(np.atleast_1d(state["norms"])), rule)
        recorder.load_state(state)
        self._recorder = recorder


def columns(taken: Taken, chosen: npt.NDArray[np.intp]) -> Taken:
    """Return some columns of an operand."""
    return Taken(taken.values[:, chosen], taken.source[:, chosen])


def _wide(rule: Channels) -> BlockFormat | ChosenFormat:
    fmt = Operand(rule.format).block_format
    assert fmt is not None
    return fmt
