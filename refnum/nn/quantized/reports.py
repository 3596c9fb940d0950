"""Error reports while training: what quantisation does to operands and gradients.

A `Reporter` observes the layers within a `with` block, usually one step: operands are
made with their codes, and gradients computed once more without quantisation. Left on
every hundredth step it costs little.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from refnum.autograd import matmul
from refnum.metrics import code_histogram, relative_mse, slope, sqnr
from refnum.nn.gradients.block_pass import element_steps
from refnum.nn.quantized.operands import Taken
from refnum.nn.quantized.products import Observer
from refnum.recipes import Operand, gradient_to_noise

__all__ = ["GradientReport", "OperandReport", "Report", "Reporter"]

_Array = npt.NDArray[np.floating[Any]]
_WIDEST = 16  # bits of a scale code that is counted


@dataclass(frozen=True)
class OperandReport:
    """What quantisation did to one operand; None where a number has no meaning.

    Parameters
    ----------
    relative_mse, sqnr : float or None
        Error against the array that was quantised, and its ratio in dB.
    zeros : float
        Share of elements that are zero afterwards.
    underflow : float
        Share that are zero afterwards and were not.
    saturated : float or None
        Share that lay beyond the format's largest value, in units of their scale.
    scales : dict of int to int
        How often each scale code occurs, without those that do not.
    oscillating : float or None
        Of a weight: share of codes that changed since the last report, back to what
        they were in the one before.
    """

    relative_mse: float | None
    sqnr: float | None
    zeros: float
    underflow: float
    saturated: float | None
    scales: dict[int, int]
    oscillating: float | None = None


@dataclass(frozen=True)
class GradientReport:
    """How a gradient by quantised products compares with the exact one.

    Parameters
    ----------
    cosine : float or None
        Of the angle between the two.
    slope : float or None
        Least-squares slope: below 1 where the gradient shrinks.
    ratio : float
        Gradient to noise; see `refnum.recipes.gradient_to_noise`.
    """

    cosine: float | None
    slope: float | None
    ratio: float


@dataclass(frozen=True)
class Report:
    """The reports of one step, by layer and role, and by layer and product.

    Parameters
    ----------
    step : int
        The step.
    operands : dict of str to dict of str to OperandReport
        ``operands[layer][role]``.
    gradients : dict of str to dict of str to GradientReport
        ``gradients[layer]["wgrad"]``.
    """

    step: int
    operands: dict[str, dict[str, OperandReport]] = field(default_factory=dict)
    gradients: dict[str, dict[str, GradientReport]] = field(default_factory=dict)

    def ratios(self) -> dict[str, float]:
        """Return each layer's gradient-to-noise ratio of the weight, for monitors."""
        return {
            layer: found["wgrad"].ratio
            for layer, found in self.gradients.items()
            if "wgrad" in found
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, for a log."""
        return asdict(self)


class Observed(Protocol):
    """What a reporter watches: a `Quantization`."""

    step: int

    def observe(self, observer: Observer | None) -> None:
        """Show every operand and gradient to an observer, or to none."""
        ...


class Reporter(Observer):
    """Makes reports of the quantised layers of a model.

    Parameters
    ----------
    quantization : Quantization
        What `quantize_model` returned.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.autograd import Stream, Tensor
    >>> from refnum.nn import Linear, Reporter, quantize_model
    >>> layer = Linear(32, 32, Stream(0))
    >>> reporter = Reporter(quantize_model(layer, "mxfp4"))
    >>> with reporter.watching() as report:
    ...     loss = layer(Tensor(np.ones((32, 32), np.float32))).sum()
    ...     loss.backward()
    >>> report.operands[""]["fprop_x"].relative_mse
    0.0
    """

    def __init__(self, quantization: Observed) -> None:
        self.quantization = quantization
        self._report = Report(0)
        self._codes: dict[str, list[npt.NDArray[Any]]] = {}

    @contextmanager
    def watching(self) -> Iterator[Report]:
        """Fill a report with what happens in a block; of repeated calls, the last."""
        self._report = Report(self.quantization.step)
        self.quantization.observe(self)
        try:
            yield self._report
        finally:
            self.quantization.observe(None)

    def operand(self, layer: str, role: str, operand: Operand, taken: Taken) -> None:
        """Take note of an operand."""
        found = _operand_report(taken, self._oscillating(layer, role, taken))
        self._report.operands.setdefault(layer, {})[role] = found

    def gradient(
        self, layer: str, gemm: str, result: _Array, a: _Array, b: _Array
    ) -> None:
        """Take note of a gradient."""
        exact = np.asarray(matmul(a, b))
        found = _gradient_report(result, exact)
        self._report.gradients.setdefault(layer, {})[gemm] = found

    def _oscillating(self, layer: str, role: str, taken: Taken) -> float | None:
        if role != "fprop_w" or taken.quantized is None:
            return None
        now = taken.quantized.codes
        past = self._codes.setdefault(layer, [])
        share = None
        if len(past) == 2 and past[0].shape == now.shape:
            changed_back = (now != past[1]) & (now == past[0])
            share = float(np.count_nonzero(changed_back) / now.size)
        self._codes[layer] = [*past, now.copy()][-2:]
        return share


def _operand_report(taken: Taken, oscillating: float | None) -> OperandReport:
    source, values, q = taken.source, taken.values, taken.quantized
    size = max(source.size, 1)
    some = bool(source.size) and bool(np.isfinite(source).all()) and bool(source.any())
    some = some and bool(np.isfinite(values).all())
    zero = values == 0
    saturated, scales = None, {}
    if q is not None:
        limit = np.float32(q.format.element.max) * np.abs(element_steps(q))
        saturated = float(np.count_nonzero(np.abs(source) > limit) / size)
        if q.format.scale_bits <= _WIDEST and q.format.scale.bits <= _WIDEST:
            counts = code_histogram(
                q.scales & q.scales.dtype.type((1 << q.format.scale.bits) - 1),
                q.format.scale,
            )
            scales = {int(k): int(counts[k]) for k in np.flatnonzero(counts)}
    return OperandReport(
        relative_mse(source, values) if some else None,
        sqnr(source, values) if some else None,
        float(np.count_nonzero(zero) / size),
        float(np.count_nonzero(zero & (source != 0)) / size),
        saturated,
        scales,
        oscillating,
    )


def _gradient_report(result: _Array, exact: _Array) -> GradientReport:
    sound = np.isfinite(result).all() and np.isfinite(exact).all()
    if not (sound and exact.any() and result.any()):
        return GradientReport(None, None, 0.0)
    along = slope(exact, result)
    back = slope(result, exact)
    # <x, y> / sqrt(<x, x> <y, y>), from its two halves.
    cosine = sqrt(abs(along * back)) * (1 if along >= 0 else -1)
    return GradientReport(cosine, along, gradient_to_noise(result, exact))
