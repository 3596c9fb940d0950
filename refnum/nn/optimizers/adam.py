"""`Adam` and `AdamW`: steps divided by the root of the mean squared gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Tensor
from refnum.nn.optimizers.optimizer import Optimizer, Piece, in_range

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Adam, with weight decay as part of the gradient.

    Parameters
    ----------
    parameters : mapping of str to Tensor
        What to optimise.
    betas : (float, float)
        Decay of the means of gradients and of their squares.
    epsilon : float
        Added to the root.
    **options
        Of `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer`, or if a number is out of range.

    Notes
    -----
    In float32, each operation rounded: ``m += (g - m) * (1 - beta1)``;
    ``v = beta2 * v + g * g * (1 - beta2)``;
    ``w -= m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon) * (rate / (1 - beta1^t))``.
    Powers of beta are multiplied up in float64, and numbers that all elements share
    are computed in float64 and rounded once.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, arXiv:1412.6980.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.autograd import Tensor
    >>> from refnum.nn import Adam
    >>> w = Tensor([1.0], requires_grad=True)
    >>> Adam({"w": w}).step({"w": np.float32([2.0])}, 0.25)
    >>> w.data
    array([0.75], dtype=float32)
    """

    slots = ("mean", "square")

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        **options: Any,
    ) -> None:
        super().__init__(parameters, **options)
        for beta in betas:
            in_range("each of betas", beta, 0, 1)
        self.betas = betas
        self.epsilon = in_range("epsilon", epsilon, 0, math.inf)
        self._powers = [1.0, 1.0]

    def _begin(self, rate: float) -> None:
        """Count the powers of beta up by one."""
        self._powers = [p * b for p, b in zip(self._powers, self.betas, strict=True)]

    def _update(self, piece: Piece, rate: float) -> None:
        self._decay(piece, rate)
        w, g, t = piece.weights, piece.gradient, piece.scratch[0]
        m, v = piece.slots
        beta1, beta2 = self.betas
        np.subtract(g, m, out=t)
        t *= 1 - beta1
        m += t
        np.multiply(g, g, out=t)
        t *= 1 - beta2
        v *= beta2
        v += t
        np.sqrt(v, out=t)
        t /= math.sqrt(1 - self._powers[1])
        t += self.epsilon
        np.divide(m, t, out=t)
        t *= rate / (1 - self._powers[0])
        w -= t

    def _decay(self, piece: Piece, rate: float) -> None:
        if piece.decays and self.weight_decay:
            t = np.multiply(piece.weights, self.weight_decay, out=piece.scratch[0])
            piece.gradient += t

    def _more_state(self) -> dict[str, npt.NDArray[Any]]:
        return {"powers": np.array(self._powers)}

    def _load_more(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        self._powers = state["powers"].tolist()


class AdamW(Adam):
    """Adam with decoupled weight decay: weights shrink apart from the gradient.

    Parameters
    ----------
    parameters : mapping of str to Tensor
        What to optimise.
    weight_decay : float
        Weights are multiplied by ``1 - rate * weight_decay`` before each step.
    **options
        Of `Adam` and `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `Adam`.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019,
    arXiv:1711.05101.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        weight_decay: float = 0.01,
        **options: Any,
    ) -> None:
        super().__init__(parameters, weight_decay=weight_decay, **options)

    def _decay(self, piece: Piece, rate: float) -> None:
        if piece.decays and self.weight_decay:
            piece.weights *= 1 - rate * self.weight_decay
