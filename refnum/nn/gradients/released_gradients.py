"""The gradients of block scales that Graphcore's simulator computes, as released.

Vocabulary. A block of values X has the largest magnitude a, the encode scale s, rounded
to s_q, and the payload d = Q(X s_q). The gradient H that comes in has passed through
the elements already: the gradient of the product, times Q'. Each formula stands here
as the code has it, and comments say where it departs from the derivative, which is in
`scale_gradients`. All tied elements count as the largest one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refnum.autograd import logsumexp
from refnum.autograd import softmax as softmax_of
from refnum.formats import E4M3, UE8M0
from refnum.nn.gradients.block_pass import BlockPass
from refnum.nn.gradients.grids import Floats

__all__ = ["RELEASED_SCALE_LEVELS", "ReleasedTerms", "soft_amax"]

RELEASED_SCALE_LEVELS = {
    "ue8m0": tuple(UE8M0.values[1:21].tolist()),
    "e4m3": tuple(E4M3.values[:20].tolist()),
}
"""The grids on which the simulator relaxes the rounding of scales, by scale format.

They are the 20 lowest levels, from 2^-126 and from 0: almost all scales lie above them.
"""


@dataclass(frozen=True)
class ReleasedTerms:
    """What the formulas are made of: arrays of blocks, and a column for each block.

    Parameters
    ----------
    x, payload, values : ndarray, shape (blocks, size)
        X, d, and the dequantised values.
    amax, raw, scale, slope : ndarray, shape (blocks, 1)
        a, s, s_q and q'(s).
    ideal : bool
        Whether elements were scaled by s rather than s_q (`fp_scale_factor`).
    """

    x: Floats
    payload: Floats
    values: Floats
    amax: Floats
    raw: Floats
    scale: Floats
    slope: Floats
    ideal: bool = False

    @classmethod
    def of(cls, forward: BlockPass, slope: Floats) -> ReleasedTerms:
        """Return the terms of a forward pass with encode scales."""
        step = forward.step[:, None]
        unit = np.where(step == 0, step.dtype.type(1), step)
        # A block of zeros counts as one whose largest magnitude is 1; a scale that
        # rounded to 0 left no payload, and any number in its place gives finite terms.
        scale = np.where(forward.scale == 0, forward.scale.dtype.type(1), forward.scale)
        amax = np.where(forward.amax == 0, forward.amax.dtype.type(1), forward.amax)
        return cls(
            forward.x,
            forward.values / unit,
            forward.values,
            amax[:, None],
            forward.raw_scale[:, None],
            scale[:, None],
            slope[:, None],
            forward.divided_by == "ideal",
        )

    @property
    def largest(self) -> Floats:
        """1 at the largest elements of each block, 0 elsewhere."""
        largest: Floats = (np.abs(self.x) == self.amax).astype(self.x.dtype)
        return largest

    def absmax(self, gradient: Floats) -> Floats:
        """Return the gradient with the term of the largest element.

        Parameters
        ----------
        gradient : ndarray, shape (blocks, size)
            H.

        Returns
        -------
        ndarray
            H + 1{argmax} (q'/s_q) [(s/a) sign(d) d/s_q - s H] (`AbsMaxGrad`). The
            payload's term lacks the incoming gradient. With `ideal`, H s/s_q off the
            argmax, and at it (q'/s_q^2) d (s/a) sign(d), without H at all
            (`AbsMaxGradFPScale`).
        """
        largest, magnitude = self.largest, np.abs(self.payload)
        if self.ideal:
            off = gradient * self.raw / self.scale * (1 - largest)
            at = self.slope / (self.scale * self.scale) * largest
            return off + at * magnitude * (self.raw / self.amax)
        payload = self.raw / self.amax * magnitude / self.scale
        at = self.slope / self.scale * largest
        return gradient + at * (payload - self.raw * gradient)

    def softmax(self, gradient: Floats, alpha: float) -> Floats:
        """Return the gradient with a term for every element.

        Parameters
        ----------
        gradient : ndarray, shape (blocks, size)
            H.
        alpha : float
            Factor of the magnitudes in the softmax.

        Returns
        -------
        ndarray
            H + n (X H - d/s_q) q'/s_q, where n = -(s_q/a) softmax(alpha \\|X\\|) sign(X)
            has the rounded scale in place of s (`SoftMaxGrad`). With `ideal`,
            H s/s_q + n (X H/s_q - d q'/s_q^2) (`SoftMaxGradFPScale`).
        """
        magnitudes = np.abs(self.x)
        weights = softmax_of(magnitudes * magnitudes.dtype.type(alpha), axis=1)
        n = -self.scale / self.amax * weights * np.sign(self.x)
        if self.ideal:
            square = self.scale * self.scale
            inner = self.x * gradient / self.scale - self.payload * self.slope / square
            return np.asarray(gradient * self.raw / self.scale + n * inner)
        inner = self.x * gradient - self.payload / self.scale
        return np.asarray(gradient + n * (inner * self.slope / self.scale))

    def tensor(self, gradient: Floats, tensor_amax: float, block: str) -> Floats:
        """Return the gradient with the term of the tensor scale.

        Parameters
        ----------
        gradient : ndarray, shape (blocks, size)
            What the block's formula gave.
        tensor_amax : float
            g.
        block : str
            With ``"softmax"``, all elements take part: the code has no mask then.

        Returns
        -------
        ndarray
            H + 1{global argmax} (X_hat - (X/g) H) (`TensorScalingGrad`).
        """
        g = self.x.dtype.type(tensor_amax)
        if not g:
            return gradient
        term = self.values - self.x / g * gradient
        if block == "softmax":
            return gradient + term
        return gradient + np.where(np.abs(self.x) == g, term, g.dtype.type(0))


def soft_amax(x: Floats, alpha: float) -> Floats:
    """Return a smooth stand-in for the largest magnitude of each row.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (blocks, size)
        Blocks.
    alpha : float
        The larger, the closer to the largest magnitude, which it exceeds by at most
        log(size) / alpha.

    Returns
    -------
    ndarray, shape (blocks,)
        log(sum(exp(alpha \\|x\\|))) / alpha: what the forward pass of `softsoftmax` takes
        for the largest magnitude; `hardsoftmax` leaves that as it is. Its derivative
        is softmax(alpha \\|x\\|) sign(x).

    Examples
    --------
    >>> import numpy as np
    >>> soft_amax(np.float32([[1.0, -2.0, 0.5]]), 5.0).round(4)
    array([2.0015], dtype=float32)
    """
    magnitudes = np.abs(x)
    total: Floats = logsumexp(magnitudes * magnitudes.dtype.type(alpha), axis=1)
    return total / total.dtype.type(alpha)
