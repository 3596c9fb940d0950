"""From gradients to updates: loss scale, clipping, schedule, optimiser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from refnum.autograd import Tensor
from refnum.nn import (
    SGD,
    Adam,
    AdamW,
    LossScale,
    Optimizer,
    Quantization,
    StableSPAM,
    clip_by_global_norm,
    constant,
    cosine,
    global_norm,
    wsd,
)
from refnum.training.plan import Plan

__all__ = ["Optimization", "learning_rate"]

_Arrays = dict[str, npt.NDArray[Any]]
_SCALE = "loss scale/"


def learning_rate(plan: Plan, step: int) -> float:
    """Return the learning rate of a step, counted from 1.

    Examples
    --------
    >>> from refnum.training import Plan
    >>> from refnum.training.optimization import learning_rate
    >>> plan = Plan(steps=4, batch=1, learning_rate=0.5, warmup=2)
    >>> [learning_rate(plan, step) for step in (1, 2, 3, 4)]
    [0.25, 0.5, 0.25, 0.0]
    """
    steps, warmup, final = plan.steps, min(plan.warmup, plan.steps), plan.final
    if plan.schedule == "constant":
        share = constant(step, warmup=warmup)
    elif plan.schedule == "cosine":
        share = cosine(step, steps, warmup=warmup, final=final)
    else:
        falling = min(steps // 5, steps - warmup)
        share = wsd(step, steps, warmup=warmup, decay=falling, final=final)
    return plan.learning_rate * share


class Optimization:
    """The optimiser of a plan, and the loss scale if it has one.

    Parameters
    ----------
    plan : Plan
        What to do.
    parameters : mapping of str to Tensor
        As `refnum.nn.parameters` returns them.
    quantization : Quantization, optional
        Whose recipes may do something to weights around an update.
    """

    def __init__(
        self,
        plan: Plan,
        parameters: Mapping[str, Tensor],
        quantization: Quantization | None = None,
    ) -> None:
        self._plan, self._quantization = plan, quantization
        self._optimizer = _optimizer(plan, parameters)
        self._scale = LossScale() if plan.loss_scaling else None

    @property
    def loss_scale(self) -> float:
        """What the loss is multiplied by for the backward pass."""
        return 1.0 if self._scale is None else self._scale.scale

    def update(self, step: int, gradients: _Arrays) -> tuple[float, float, bool]:
        """Move the parameters, unless gradients are not finite.

        Parameters
        ----------
        step : int
            Its number, from 1.
        gradients : dict of str to ndarray
            Of the scaled loss.

        Returns
        -------
        rate : float
            The learning rate.
        norm : float
            Of all gradients, unscaled, before clipping.
        skipped : bool
            Whether the loss scale had the step skipped.
        """
        rate = learning_rate(self._plan, step)
        if self._scale is not None:
            gradients = self._scale.unscale(gradients)
        if self._plan.clip is None:
            norm = global_norm(gradients)
        else:
            gradients, norm = clip_by_global_norm(gradients, self._plan.clip)
        finite = math.isfinite(norm)
        if self._scale is not None and not self._scale.update(finite):
            return rate, norm, True
        if finite and self._quantization is not None:
            self._quantization.update(self._optimizer, gradients, rate)
        elif finite:
            self._optimizer.step(gradients, rate)
        return rate, norm, False

    def state(self) -> _Arrays:
        """Return all that later updates depend on."""
        arrays = self._optimizer.state()
        if self._scale is not None:
            scale = self._scale.state()
            arrays |= {f"{_SCALE}{name}": array for name, array in scale.items()}
        return arrays

    def load_state(self, arrays: _Arrays) -> None:
        """Go on from what `state` returned."""
        own = {k: v for k, v in arrays.items() if not k.startswith(_SCALE)}
        scale = {k[len(_SCALE) :]: v for k, v in arrays.items() if k not in own}
        self._optimizer.load_state(own)
        if self._scale is not None:
            self._scale.load_state(scale)


def _optimizer(plan: Plan, parameters: Mapping[str, Tensor]) -> Optimizer:
    """Return the optimiser; biases and gains do not decay."""
    options: dict[str, Any] = {
        "weight_decay": plan.weight_decay,
        "decays_vectors": False,
    }
    if plan.optimizer == "sgd":
        return SGD(parameters, momentum=plan.beta1, **options)
    kinds = {"adam": Adam, "adamw": AdamW, "stable_spam": StableSPAM}
    betas = plan.beta1, plan.beta2
    return kinds[plan.optimizer](parameters, betas=betas, **options)
