"""`gradients`: derivatives as values, which may be differentiated again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from refnum.autograd.graph import Node, propagate
from refnum.autograd.mode import MODE
from refnum.autograd.tensor import Tensor, start_of, wrap

__all__ = ["gradients"]


def gradients(
    output: Tensor,
    inputs: Sequence[Tensor],
    gradient: npt.ArrayLike | Tensor | None = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> list[Any]:
    """Return the gradients of a tensor with respect to others.

    Parameters
    ----------
    output : Tensor
        What to differentiate.
    inputs : sequence of Tensor
        Leaves or intermediate results.
    gradient : array_like or Tensor, optional
        What to start from, of the shape of `output`; one for a single element.
    create_graph : bool
        Record the pass, so that the gradients can be differentiated.
    retain_graph : bool, optional
        Keep the graph for another pass; by default if `create_graph`.

    Returns
    -------
    list of ndarray, Tensor or None
        A gradient for each input, None where `output` does not depend on it; Tensors
        if `create_graph`.

    Raises
    ------
    ValueError
        If no gradient flows from `output` or to an input, or shapes do not fit.
    RuntimeError
        If the graph was freed, or an operation cannot be differentiated twice.

    Examples
    --------
    >>> from refnum.autograd import Tensor, gradients
    >>> x = Tensor(3.0, requires_grad=True)
    >>> (slope,) = gradients(x * x * x, [x], create_graph=True)
    >>> slope.item(), gradients(slope, [x])[0].item()
    (27.0, 18.0)
    """
    wanted: list[Node] = []
    for k, tensor in enumerate(inputs):
        if tensor._node is None:
            raise ValueError(f"input {k} does not require a gradient")
        wanted.append(tensor._node)
    node, start = start_of(output, gradient)
    keep = create_graph if retain_graph is None else retain_graph
    if not create_graph:
        return propagate(node, start, wanted, retain_graph=keep)
    first = gradient if isinstance(gradient, Tensor) else Tensor(start)

    def rewrap(value: Any, owner: Node) -> Tensor:
        return wrap(value, owner, owner.name, MODE.get().numerics)

    return propagate(node, first, wanted, retain_graph=keep, wrap=rewrap)
