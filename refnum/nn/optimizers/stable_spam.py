"""`StableSPAM`: Adam for gradients with spikes, as 4-bit training has them.

Before Adam sees the gradient g of a parameter:

- *AdaClip*: the threshold follows the largest magnitude,
  ``T = gamma3 * T + (1 - gamma3) * max|g|``, corrected for its start at zero,
  ``T' = T / (1 - gamma3^t)``. Elements beyond it become ``g / max|g| * T'``.
- *AdaGN*: the norm is brought to what it was lately,
  ``m = gamma1 * m + (1 - gamma1) * |g|``, ``v = gamma2 * v + (1 - gamma2) * |g|^2``,
  ``g = g / |g| * m' / (sqrt(v') + epsilon)``, with both corrected in the same way.
- *Momentum reset*: every so many steps Adam's means and its count begin anew.

Formulas of Huang et al., "Stable-SPAM: how to train in 4-bit more stably than 16-bit
Adam", 2025, arXiv:2502.17055. The published code counts t from one again after a reset
in all three corrections; here t of AdaClip and AdaGN goes on, as their means do.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Tensor
from refnum.nn.optimizers.adam import AdamW
from refnum.nn.optimizers.clipping import sum_of_squares
from refnum.nn.optimizers.optimizer import in_range

__all__ = ["StableSPAM"]

_Single = npt.NDArray[np.float32]


class StableSPAM(AdamW):
    """AdamW of gradients clipped and normalised by their own history.

    Parameters
    ----------
    parameters : mapping of str to Tensor
        What to optimise.
    gammas : (float, float, float)
        Decay of the mean norm, of the mean squared norm, and of the clip threshold;
        the defaults are those of the published code.
    clips, normalizes : bool
        Whether AdaClip and AdaGN are on.
    reset : int
        Steps from one momentum reset to the next; 0 is never.
    epsilon : float
        Added to roots, of AdaGN and of Adam.
    weight_decay : float
        Decoupled, as of AdamW.
    **options
        Of `Adam` and `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `Adam`, or if a number is out of range.

    Notes
    -----
    Maxima, norms and their means are float64; norms add as `global_norm` does. What
    gradients are multiplied by is rounded to float32 once, and so is each product.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.autograd import Tensor
    >>> from refnum.nn import StableSPAM
    >>> w = Tensor([1.0, 1.0], requires_grad=True)
    >>> StableSPAM({"w": w}).step({"w": np.float32([2.0, -2.0])}, 0.25)
    >>> w.data
    array([0.75000036, 1.2499996 ], dtype=float32)
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        gammas: tuple[float, float, float] = (0.85, 0.99999, 0.999),
        clips: bool = True,
        normalizes: bool = True,
        reset: int = 1000,
        epsilon: float = 1e-6,
        weight_decay: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(
            parameters, weight_decay=weight_decay, epsilon=epsilon, **options
        )
        for gamma in gammas:
            in_range("each of gammas", gamma, 0, 1)
        self.gammas = gammas
        self.clips, self.normalizes = clips, normalizes
        self.reset = operator.index(reset)
        if self.reset < 0:
            raise ValueError(f"reset must not be negative, not {reset}")
        self._gamma_powers = [1.0, 1.0, 1.0]
        self._means = np.zeros((len(self.parameters), 3))

    def _begin(self, rate: float) -> None:
        pairs = zip(self._gamma_powers, self.gammas, strict=True)
        self._gamma_powers = [power * gamma for power, gamma in pairs]
        for k, name in enumerate(self.parameters):
            g = self._gradient[self._places[name]]
            if self.clips:
                self._clip(g, self._means[k])
            if self.normalizes:
                self._normalize(g, self._means[k])
        if self.reset and self.count % self.reset == 0:
            for slot in self._slots:
                slot[:] = 0
            self._powers = [1.0, 1.0]
        super()._begin(rate)

    def _clip(self, g: _Single, means: npt.NDArray[np.float64]) -> None:
        """Bring elements beyond the threshold below it."""
        magnitude = np.abs(g)
        largest = float(magnitude.max())
        gamma = self.gammas[2]
        means[2] = gamma * means[2] + (1 - gamma) * largest
        threshold = float(means[2]) / (1 - self._gamma_powers[2])
        if largest > threshold:
            beyond = magnitude > np.float32(threshold)
            g[beyond] *= np.float32(threshold / largest)

    def _normalize(self, g: _Single, means: npt.NDArray[np.float64]) -> None:
        """Bring the norm to what it was lately."""
        square = sum_of_squares(g)
        norm = math.sqrt(square) if square >= 0 else square
        for k, value in enumerate((norm, square)):
            means[k] = self.gammas[k] * means[k] + (1 - self.gammas[k]) * value
        first, second = (float(means[k]) / (1 - self._gamma_powers[k]) for k in (0, 1))
        if norm > 0:
            wanted = first / (math.sqrt(second) + self.epsilon)
            g *= np.float32(wanted / norm)

    def _more_state(self) -> dict[str, npt.NDArray[Any]]:
        return super()._more_state() | {
            "means": self._means.copy(),
            "gamma_powers": np.array(self._gamma_powers),
        }

    def _load_more(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        super()._load_more(state)
        self._means = np.array(state["means"])
        self._gamma_powers = state["gamma_powers"].tolist()
