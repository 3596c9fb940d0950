"""`Linear`: the layer whose three matrix products are a choice.

Vocabulary. A linear layer with input X (M, K) and weight W (N, K) computes *fprop*
Y = X W^T, and in the backward pass, from the gradient dY (M, N) of Y, *dgrad* dX = dY W
and *wgrad* dW = dY^T X. `Products` computes all three, so that one object decides how
operands are rounded and how products add up. The bias is added to Y afterwards, and its
gradient is the sum of dY.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from refnum.autograd import Operation, Stream, Tensor, matmul
from refnum.autograd import sum as sum_of
from refnum.nn.initializers import (
    FAN_IN,
    Initializer,
    child,
    parameter,
)
from refnum.nn.module import Module
from refnum.products import Accumulator

__all__ = ["FULL_PRECISION", "KINDS", "FullPrecision", "Linear", "Products", "linear"]

_Array = npt.NDArray[np.floating[Any]]

KINDS = ("attention", "mlp", "head", "other")
"""What a linear layer may be part of."""


class Products(Protocol):
    """The three products of a linear layer."""

    def forward(self, x: _Array, weight: _Array) -> tuple[_Array, Any]:
        """Return Y and what the backward pass needs.

        Parameters
        ----------
        x : ndarray, shape (M, K)
            Activations, read-only.
        weight : ndarray, shape (N, K)
            Weights, read-only, of the same type.

        Returns
        -------
        y : ndarray, shape (M, N)
            An array of that type which nothing else refers to: the bias is added to it.
        saved : object
            Anything.
        """
        ...

    def backward(
        self, dy: _Array, saved: Any, needs: tuple[bool, bool]
    ) -> tuple[_Array | None, _Array | None]:
        """Return the gradients of x and weight.

        Parameters
        ----------
        dy : ndarray, shape (M, N)
            Gradient of Y.
        saved : object
            What `forward` returned.
        needs : (bool, bool)
            Whether the gradient of x, and of weight, is asked for; None otherwise.

        Returns
        -------
        dx : ndarray, shape (M, K), or None
            Gradient of x.
        dw : ndarray, shape (N, K), or None
            Gradient of weight.
        """
        ...


@dataclass(frozen=True)
class FullPrecision:
    """Products of the operands as they are.

    Parameters
    ----------
    accumulator : Accumulator, optional
        How products add up; by default as the numerics say.
    """

    accumulator: Accumulator | None = None

    def forward(self, x: _Array, weight: _Array) -> tuple[_Array, Any]:
        """Return x W^T, and both factors."""
        return matmul(x, weight.T, accumulator=self.accumulator), (x, weight)

    def backward(
        self, dy: _Array, saved: Any, needs: tuple[bool, bool]
    ) -> tuple[_Array | None, _Array | None]:
        """Return dY W and dY^T X."""
        x, weight = saved
        dx = dw = None
        if needs[0]:
            dx = matmul(dy, weight, accumulator=self.accumulator)
        if needs[1]:
            dw = matmul(dy.T, x, accumulator=self.accumulator)
        return dx, dw


FULL_PRECISION = FullPrecision()


def _rows(x: _Array) -> _Array:
    return x.reshape(-1, x.shape[-1])


def _forward(
    x: _Array, weight: _Array, bias: _Array | None, products: Products
) -> tuple[_Array, Any]:
    y, saved = products.forward(_rows(x), weight)
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], len(weight)), saved


def _backward(
    dy: _Array,
    needs: tuple[bool, ...],
    shape: tuple[int, ...],
    saved: Any,
    products: Any,
) -> list[Any]:
    """Return the gradients that are needed, of x, weight and bias, in this order."""
    rows = _rows(dy)
    parts: list[Any] = [None, None]
    if needs[0] or needs[1]:
        parts = list(products.backward(rows, saved, needs[:2]))
        if parts[0] is not None:
            parts[0] = parts[0].reshape(shape)
    if len(needs) > 2:
        parts.append(sum_of(rows, 0) if needs[2] else None)
    return [part for part, need in zip(parts, needs, strict=True) if need]


_linear = Operation(
    "linear",
    lambda x, weight, products: _forward(x, weight, None, products),
    "x weight",
    "products",
    joint=lambda g, needs, x_shape, extra0, products: _backward(
        g, needs, x_shape, extra0, products
    ),
    twice=False,
    extras=1,
)
_linear_biased = Operation(
    "linear",
    _forward,
    "x weight bias",
    "products",
    joint=lambda g, needs, x_shape, extra0, products: _backward(
        g, needs, x_shape, extra0, products
    ),
    twice=False,
    extras=1,
)


def linear(
    x: Any, weight: Any, bias: Any = None, *, products: Products = FULL_PRECISION
) -> Any:
    """Return ``x @ weight.T + bias`` as one operation.

    Parameters
    ----------
    x : Tensor or array, shape (..., K)
        Activations; the leading axes together are the rows of X.
    weight : Tensor or array, shape (N, K)
        Weights.
    bias : Tensor or array, shape (N,), optional
        Added to each row.
    products : Products
        How the three products are computed.

    Returns
    -------
    Tensor or ndarray, shape (..., N)
        The layer's result. It cannot be differentiated twice.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Examples
    --------
    >>> from refnum.autograd import Tensor
    >>> w = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> y = linear(Tensor([1.0, 1.0]), w, Tensor([0.5, 0.0]))
    >>> y.sum().backward()
    >>> y.data, w.grad
    (array([3.5, 7. ], dtype=float32), array([[1., 1.],
           [1., 1.]], dtype=float32))
    """
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"x of shape {x.shape} does not fit a weight of shape {weight.shape}"
        )
    if bias is None:
        return _linear(x, weight, products)
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape {weight.shape[:1]}, not {bias.shape}")
    return _linear_biased(x, weight, bias, products)


class Linear(Module):
    """A linear layer.

    Parameters
    ----------
    inputs, outputs : int
        K and N.
    stream : Stream
        What the weight is drawn from.
    bias : bool
        Whether there is a bias; it begins at zero.
    kind : {"attention", "mlp", "head", "other"}
        What the layer is part of: recipes treat kinds differently.
    initializer : Initializer
        Of the weight.
    weight : Tensor, shape (outputs, inputs), optional
        A parameter to share, in place of a new one.

    Raises
    ------
    ValueError
        If a size is not positive, `kind` is unknown, or `weight` does not fit.

    Notes
    -----
    `products` may be set at any time; it holds from the next call on.

    Examples
    --------
    >>> from refnum.autograd import Stream, Tensor
    >>> from refnum.nn import Linear
    >>> layer = Linear(3, 2, Stream(0), bias=False)
    >>> layer(Tensor([[1.0, 0.0, 0.0]])).shape
    (1, 2)
    """

    products: Products

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stream: Stream,
        *,
        bias: bool = True,
        kind: str = "other",
        initializer: Initializer = FAN_IN,
        weight: Tensor | None = None,
    ) -> None:
        shape = operator.index(outputs), operator.index(inputs)
        if min(shape) < 1:
            raise ValueError(f"inputs and outputs must be positive, not {shape[::-1]}")
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        if weight is not None and weight.shape != shape:
            raise ValueError(f"weight must have the shape {shape}, not {weight.shape}")
        if weight is None:
            weight = parameter(initializer(child(stream, "weight"), shape))
        self.weight = weight
        self.bias = parameter(np.zeros(shape[0], np.float32)) if bias else None
        self.kind = kind
        self.products = FULL_PRECISION

    def __call__(self, x: Any) -> Any:
        """Return ``x @ weight.T + bias`` for x of shape (..., inputs)."""
        return linear(x, self.weight, self.bias, products=self.products)
