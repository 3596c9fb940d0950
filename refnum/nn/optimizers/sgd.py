"""`SGD`: stochastic gradient descent, with momentum if asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refnum.autograd import Tensor
from refnum.nn.optimizers.optimizer import Optimizer, Piece, in_range

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent.

    Parameters
    ----------
    parameters : mapping of str to Tensor
        What to optimise.
    momentum : float
        From 0 to below 1.
    nesterov : bool
        Whether to look ahead.
    **options
        Of `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer`, or if `momentum` is out of range.

    Notes
    -----
    In float32, each operation rounded: ``g += weight_decay * w``;
    ``m = momentum * m + g``; ``w -= rate * m``, or with Nesterov's rule
    ``w -= rate * (momentum * m + g)``.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.autograd import Tensor
    >>> from refnum.nn import SGD
    >>> w = Tensor([1.0], requires_grad=True)
    >>> SGD({"w": w}).step({"w": np.float32([2.0])}, 0.25)
    >>> w.data
    array([0.5], dtype=float32)
    """

    slots = ("momentum",)

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(parameters, **options)
        self.momentum = in_range("momentum", momentum, 0, 1)
        self.nesterov = nesterov

    def _update(self, piece: Piece, rate: float) -> None:
        w, g, t = piece.weights, piece.gradient, piece.scratch[0]
        if piece.decays and self.weight_decay:
            np.multiply(w, self.weight_decay, out=t)
            g += t
        (m,) = piece.slots
        m *= self.momentum
        m += g
        if self.nesterov:
            np.multiply(m, self.momentum, out=t)
            t += g
            t *= rate
        else:
            np.multiply(m, rate, out=t)
        w -= t
