"""`check_gradients`: does a backward pass agree with finite differences?

The whole Jacobian is not compared but one number of it for each input: the derivative
along a random direction, of the result weighted at random. A wrong VJP agrees by
chance with probability zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd.differentiate import gradients
from refnum.autograd.mode import no_grad, recording
from refnum.autograd.tensor import Tensor

__all__ = ["GradientError", "check_gradients"]

_Wide = npt.NDArray[np.float64]

# Of the five-point rule: f' = sum of weight * f(x + k h) / h, with an error of h^4.
_STENCIL = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}


class GradientError(AssertionError):
    """A gradient that finite differences do not confirm."""


def check_gradients(
    f: Callable[..., Any],
    inputs: Sequence[npt.ArrayLike],
    *,
    order: int = 1,
    step: float = 1e-4,
    tolerance: float = 1e-7,
    seed: int = 0,
    name: str | None = None,
) -> None:
    """Compare the gradients of a function with finite differences in float64.

    Parameters
    ----------
    f : callable
        From as many Tensors as there are inputs to a Tensor.
    inputs : sequence of array_like
        Where to differentiate; converted to float64.
    order : int
        2 also checks the gradients of the gradients.
    step : float
        Distance between the points of the difference. Kinks of `f` must be farther
        than twice as much.
    tolerance : float
        Accepted difference, relative to the greater of one and the derivative.
    seed : int
        Of the random directions.
    name : str, optional
        What the message calls `f`; otherwise its name.

    Raises
    ------
    GradientError
        If they differ. The message names the function, the last operation, the input
        and both numbers.
    ValueError
        If `order` is not positive, or no input is given.

    Examples
    --------
    >>> from refnum.autograd import Operation, check_gradients, multiply
    >>> check_gradients(multiply, [[1.0, 2.0], [3.0, 4.0]], order=2)
    >>> wrong = Operation("wrong", lambda x: x * x, x=lambda g, x: g * x)
    >>> check_gradients(wrong, [3.0])
    Traceback (most recent call last):
        ...
    refnum.autograd.check.GradientError: gradient of wrong with respect to input 0 ...
    """
    if order < 1 or not len(inputs):
        raise ValueError(
            f"order {order} and {len(inputs)} inputs leave nothing to check"
        )
    name = name or getattr(f, "__name__", repr(f))
    points = [np.array(x, np.float64) for x in inputs]
    rng = np.random.default_rng(seed)
    tensors = [Tensor(x, requires_grad=True) for x in points]
    out = f(*tensors)
    if not isinstance(out, Tensor):
        raise TypeError(f"{name} returned {type(out).__name__}, not a Tensor")
    weights = rng.standard_normal(out.shape)
    if out.requires_grad:
        found = gradients(out, tensors, weights)
    else:
        found = [None] * len(points)
    for k, (x, gradient) in enumerate(zip(points, found, strict=True)):
        direction = rng.standard_normal(x.shape)
        exact = 0.0 if gradient is None else float(np.sum(gradient * direction))
        expected = _difference(f, points, k, direction, weights, step)
        if not abs(exact - expected) <= tolerance * max(1.0, abs(expected)):
            raise GradientError(
                f"gradient of {name} with respect to input {k} of shape {x.shape} "
                f"(last operation: {out.operation}): {exact!r} along a random "
                f"direction, but differences give {expected!r}"
            )
    if order > 1 and out.requires_grad:
        for k in range(len(points)):
            check_gradients(
                _gradient_of(f, k, weights),
                points,
                order=order - 1,
                step=step,
                tolerance=tolerance,
                seed=seed + 1 + k,
                name=f"the gradient of {name} with respect to input {k}",
            )


def _difference(
    f: Callable[..., Any],
    points: list[_Wide],
    k: int,
    direction: _Wide,
    weights: _Wide,
    step: float,
) -> float:
    """Return the derivative of the weighted result as input `k` moves."""
    total = np.zeros(weights.shape)
    for steps, weight in _STENCIL.items():
        moved = list(points)
        moved[k] = points[k] + steps * step * direction
        with no_grad():
            total += weight / step * f(*map(Tensor, moved)).data
    return float(np.sum(total * weights))


def _gradient_of(f: Callable[..., Any], k: int, weights: _Wide) -> Callable[..., Any]:
    """Return the function from inputs to one gradient, which can be differentiated."""

    def gradient(*tensors: Tensor) -> Any:
        # Under no_grad, inputs come as constants; the inner pass needs its graph.
        with recording():
            inputs = [t if t.requires_grad else Tensor(t.data, True) for t in tensors]
            out = f(*inputs)
            found = gradients(out, inputs, weights, create_graph=True)[k]
        return Tensor(np.zeros(tensors[k].shape)) if found is None else found

    return gradient
