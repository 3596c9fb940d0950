"""Gradients through the scales that blocks share.

A block's scale is a function of its largest magnitude Z, so f = Q(x / E) E depends on
that element twice: through its own rounding, and through everybody's step E. With the
*elasticity* r = q'(s) s / q(s) of the rounded scale, d log E = r d log Z in both
conventions, and the VJP of a gradient G is

    dX_kl = G_kl Q'_kl + w_kl sign(X_kl) r / Z sum_ij G_ij (f_ij - X_ij Q'_ij),

where w is 1 at the argmax (see `ScaleGradient.ties`) and 0 elsewhere. With a tensor
scale made of the largest magnitude g of all, d log E = (1 - r) d log g besides. A
*diagonal* gradient leaves out of the sum all but the element itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import softmax
from refnum.autograd import sum as sum_of
from refnum.blocks import Quantized
from refnum.nn.gradients.block_pass import BlockPass
from refnum.nn.gradients.grids import Floats, as_floats
from refnum.nn.gradients.relaxations import STE, Relaxation
from refnum.nn.gradients.released_gradients import ReleasedTerms

__all__ = ["ScaleGradient", "block_vjp", "quantize_vjp"]

_CHOICES = {
    "block": ("ste", "absmax", "softmax"),
    "extent": ("full", "diagonal", "as_released"),
    "ties": ("all", "first", "split"),
    "tensor": ("ignore", "absmax"),
}


@dataclass(frozen=True)
class ScaleGradient:
    """What of a gradient goes through the scales.

    Parameters
    ----------
    block : {"ste", "absmax", "softmax"}
        Through the scale of a block: nothing; to its largest element; or to all, by
        softmax(``alpha |x|``).
    extent : {"full", "diagonal", "as_released"}
        The sum over the block; the element itself alone; or the formulas of
        Graphcore's simulator as its code has them (encode scales only).
    ties : {"all", "first", "split"}
        Which of several largest elements: each gets the whole term, the first one
        gets it, or all get even shares.
    relaxation : Relaxation
        What stands in for the rounding of the scale.
    levels : tuple of float, optional
        Its grid, in place of the scale format's values.
    alpha : float
        Of the softmax.
    tensor : {"ignore", "absmax"}
        Through the scale above the blocks: nothing, or to the tensor's largest
        element.

    Raises
    ------
    ValueError
        If a field is none of these.

    References
    ----------
    Hu, Luschi and Balanca, arXiv 2509.17791, Proposition 1, sections 3 and 5; the
    full sum is the same derivative without leaving out terms.

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> x = np.float32([[1.0, 2.5, -5.0]])
    >>> q = rn.quantize(x, rn.MXFP4)
    >>> quantize_vjp(np.float32([[1.0, 1.0, 1.0]]), x, q)
    array([[1., 1., 1.]], dtype=float32)
    >>> quantize_vjp(np.float32([[1.0, 1.0, 1.0]]), x, q, scale=ScaleGradient("absmax"))
    array([[1.   , 1.   , 0.875]], dtype=float32)
    """

    block: str = "ste"
    extent: str = "full"
    ties: str = "all"
    relaxation: Relaxation = STE
    levels: tuple[float, ...] | None = None
    alpha: float = 80.0
    tensor: str = "ignore"

    def __post_init__(self) -> None:
        for field, allowed in _CHOICES.items():
            value = getattr(self, field)
            if value not in allowed:
                known = ", ".join(allowed)
                raise ValueError(f"{field} is {value!r}; {known} are allowed")
        if not 0 < self.alpha < np.inf:
            raise ValueError(f"alpha must be positive and finite, not {self.alpha}")


def quantize_vjp(
    g: npt.ArrayLike,
    x: npt.ArrayLike,
    q: Quantized,
    *,
    element: Relaxation = STE,
    scale: ScaleGradient = ScaleGradient(),
    held: bool = False,
) -> npt.NDArray[np.float32]:
    """Return the gradient of an array from that of its quantised values.

    Parameters
    ----------
    g : array_like of float32
        Gradient of ``dequantize(q)``.
    x : array_like of float32
        What was quantised.
    q : Quantized
        What it became.
    element : Relaxation
        What stands in for the rounding of the elements.
    scale : ScaleGradient
        What of the gradient goes through the scales.
    held : bool
        Whether the tensor scale was made of an earlier step's amax, so that it is a
        constant.

    Returns
    -------
    ndarray of float32
        In the shape of `x`.

    Raises
    ------
    TypeError
        If an array is not float32.
    ValueError
        If shapes differ, or the format's scales are no function of the largest
        magnitudes.
    """
    forward = BlockPass.of(x, q, held=held)
    gradient = as_floats(g, "g")
    if gradient.shape != q.codes.shape:
        raise ValueError(f"g has shape {gradient.shape}, the values {q.codes.shape}")
    single = gradient.astype(np.float32, copy=False)
    return forward.shaped(block_vjp(forward.cut(single, q), forward, element, scale), q)


def block_vjp(
    g: Floats, forward: BlockPass, element: Relaxation, scale: ScaleGradient
) -> Floats:
    """Return the gradient of blocks of values from that of their quantised values.

    Parameters
    ----------
    g : ndarray, shape (blocks, size)
        Gradient of ``forward.values``.
    forward : BlockPass
        The forward pass.
    element : Relaxation
        What stands in for the rounding of the elements.
    scale : ScaleGradient
        What of the gradient goes through the scales.

    Returns
    -------
    ndarray, shape (blocks, size)
        Gradient of ``forward.x``.

    Raises
    ------
    ValueError
        If the formulas as released are asked for with decode scales, or a gradient
        through a tensor scale that there is not.
    """
    slope = element.slope(forward.scaled, forward.grid)
    if scale.block == "ste" and scale.tensor == "ignore":
        return g * _own(slope, forward)
    if scale.tensor == "absmax" and forward.tensor_amax is None:
        raise ValueError("there is no tensor scale made of the largest element of x")
    if scale.extent == "as_released":
        return _as_released(g * slope, forward, scale)
    elasticity = forward.elasticity(scale.relaxation, scale.levels)[:, None]
    own = _own(slope, forward)
    entering = forward.x * own  # as far as it moves with the step
    entering *= elasticity if forward.divided_by == "step" else 1
    dx = g * own
    if scale.block != "ste":
        term = g * (elasticity * forward.values - entering)
        if scale.extent == "full":
            term = sum_of(term, axis=1, keepdims=True)
        dx += _share(forward, scale) * (term / _nonzero(forward.amax[:, None]))
    if scale.tensor == "absmax":
        whole = forward.x * own if forward.divided_by == "step" else entering
        term = g * (forward.values - whole - (elasticity * forward.values - entering))
        if scale.extent == "full":
            term = sum_of(term)
        top = _nonzero(forward.x.dtype.type(forward.tensor_amax or 0))
        dx += _tensor_share(forward, scale) * (term / top)
    return dx


def _as_released(gradient: Floats, forward: BlockPass, scale: ScaleGradient) -> Floats:
    if forward.convention != "encode":
        raise ValueError("the formulas as released are those of encode scales")
    raw, grid = forward.raw_scale, scale.levels or forward.scale_grid
    terms = ReleasedTerms.of(forward, scale.relaxation.slope(raw, grid))
    if scale.block == "absmax":
        gradient = terms.absmax(gradient)
    elif scale.block == "softmax":
        gradient = terms.softmax(gradient, scale.alpha)
    if scale.tensor == "absmax":
        assert forward.tensor_amax is not None
        gradient = terms.tensor(gradient, forward.tensor_amax, scale.block)
    return gradient


def _own(slope: Floats, forward: BlockPass) -> Floats:
    """Return how an element's result moves with the element, the step being fixed."""
    if forward.divided_by == "step":
        return slope
    stretch = np.where(forward.ideal == 0, 1, forward.step / _nonzero(forward.ideal))
    return slope * stretch.astype(slope.dtype)[:, None]


def _share(forward: BlockPass, scale: ScaleGradient) -> Floats:
    """Return dZ / dx for each element of each block."""
    magnitudes, amax = np.abs(forward.x), forward.amax[:, None]
    if scale.block == "softmax":
        weights = softmax(magnitudes * magnitudes.dtype.type(scale.alpha), axis=1)
    else:
        weights = _weights_of(magnitudes == amax, scale.ties).astype(amax.dtype)
    return np.asarray(weights * np.sign(forward.x))


def _tensor_share(forward: BlockPass, scale: ScaleGradient) -> Floats:
    """Return dg / dx for each element."""
    dtype = forward.x.dtype
    top = dtype.type(forward.tensor_amax or 0)
    largest = (np.abs(forward.x) == top).reshape(1, -1)
    weights = _weights_of(largest, scale.ties).astype(dtype).reshape(forward.x.shape)
    return np.asarray(weights * np.sign(forward.x))


def _weights_of(largest: npt.NDArray[np.bool_], ties: str) -> npt.NDArray[np.floating]:
    """Return how much each of the largest of a row counts."""
    if ties == "first":
        return np.asarray(largest & (np.cumsum(largest, axis=1) == 1), np.float64)
    if ties == "split":
        count = np.count_nonzero(largest, axis=1, keepdims=True)
        return np.asarray(largest / np.maximum(count, 1))
    return np.asarray(largest, np.float64)


def _nonzero(x: Any) -> Any:
    return np.where(x == 0, x.dtype.type(1), x)
