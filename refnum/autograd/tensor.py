"""`Tensor`: an array that remembers where it came from.

Arrays inside tensors never change: they are read-only, so nothing that a backward pass
needs can be overwritten behind its back. A parameter moves on by `t.data = new`; what
was computed from the old value keeps the old value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd.graph import Node, propagate
from refnum.autograd.mode import Numerics
from refnum.autograd.operators import Operators

__all__ = ["Array", "Tensor", "plain", "start_of", "wrap"]

Array = npt.NDArray[np.floating[Any]]


class Tensor(Operators):
    """An array of float32 or float64 for which gradients can be computed.

    Parameters
    ----------
    data : array_like
        Numbers, copied. Arrays of float32 and float64 keep their type; all else
        becomes float32.
    requires_grad : bool
        Whether `backward` collects a gradient here.
    dtype : dtype, optional
        float32 or float64, to convert to.

    Raises
    ------
    TypeError
        If `data` are no real numbers, or `dtype` is another type.

    Notes
    -----
    Operators, indexing and methods are those of an ndarray. Comparisons return arrays
    of bool. There are no operations in place: ``t += 1`` makes a new tensor.

    Examples
    --------
    >>> from refnum.autograd import Tensor
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    array([2., 4., 6.], dtype=float32)
    """

    __slots__ = ("__weakref__", "_array", "_node", "_numerics", "_operation")

    def __init__(
        self,
        data: npt.ArrayLike,
        requires_grad: bool = False,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        array = _read(data, dtype)
        array.flags.writeable = False
        self._array: Array = array
        self._node = Node(array) if requires_grad else None
        self._operation = "leaf"
        self._numerics: Numerics | None = None

    @property
    def data(self) -> Array:
        """The numbers, read-only. Setting them keeps the array given, now read-only."""
        return self._array

    @data.setter
    def data(self, array: Array) -> None:
        if not self.is_leaf:
            raise ValueError(f"the result of {self._operation!r} cannot be set")
        old = self._array
        new = np.asarray(array)
        if new.shape != old.shape or new.dtype != old.dtype:
            raise ValueError(
                f"data must stay {old.dtype} of shape {old.shape}, "
                f"not {new.dtype} of shape {new.shape}"
            )
        if new.base is not None:  # someone else may write to it
            new = new.copy()
        new.flags.writeable = False
        self._array = new

    @property
    def grad(self) -> Array | None:
        """The gradients collected so far, or None; set it to None to begin anew."""
        return None if self._node is None else self._node.gradient

    @grad.setter
    def grad(self, gradient: Array | None) -> None:
        if self._node is None or not self.is_leaf:
            raise ValueError("only a tensor made with requires_grad=True has a grad")
        if gradient is not None and np.shape(gradient) != self.shape:
            raise ValueError(
                f"grad must have the shape {self.shape}, not {np.shape(gradient)}"
            )
        self._node.gradient = gradient

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient can reach this tensor."""
        return self._node is not None

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was given rather than computed from others."""
        return self._node is None or self._node.plan is None

    @property
    def operation(self) -> str:
        """Name of the operation that made the tensor, or `"leaf"`."""
        return self._operation

    @property
    def numerics(self) -> Numerics | None:
        """The arithmetic that the tensor was computed with; None if it was given."""
        return self._numerics

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._array.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._array.dtype

    def item(self) -> float:
        """Return the only element as a float."""
        return float(self._array.item())

    def detach(self) -> Tensor:
        """Return the same numbers, cut off from what they were computed from."""
        return wrap(self._array, None, self._operation, self._numerics)

    def backward(
        self, gradient: npt.ArrayLike | None = None, *, retain_graph: bool = False
    ) -> None:
        """Add the gradient of this tensor to the `grad` of every leaf behind it.

        Parameters
        ----------
        gradient : array_like, optional
            What to start from, of this tensor's shape; one for a single element.
        retain_graph : bool
            Keep the graph for another pass instead of freeing it on the way.

        Raises
        ------
        ValueError
            If no gradient can reach a leaf, or `gradient` is missing or does not fit.
        RuntimeError
            If the graph was freed by an earlier pass.
        """
        node, start = start_of(self, gradient)
        propagate(node, start, retain_graph=retain_graph)

    def register_hook(self, hook: Callable[[Any], Any]) -> Callable[[], None]:
        """Let a function see the complete gradient of this tensor.

        Parameters
        ----------
        hook : callable
            Called with the gradient in each backward pass; what it returns, unless
            None, takes the gradient's place.

        Returns
        -------
        callable
            Call it to remove the hook.

        Raises
        ------
        ValueError
            If no gradient reaches this tensor.
        """
        if self._node is None:
            raise ValueError("no gradient reaches a tensor without requires_grad")
        if self._node.hooks is None:
            self._node.hooks = []
        hooks = self._node.hooks
        hooks.append(hook)
        return lambda: hooks.remove(hook)

    def __repr__(self) -> str:
        text = np.array2string(self._array, separator=", ", prefix="Tensor(")
        kind = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({text}{grad}{kind})"


def wrap(
    array: Any, node: Node | None, operation: str, numerics: Numerics | None
) -> Tensor:
    """Return a Tensor around an array, which is made read-only."""
    tensor = Tensor.__new__(Tensor)
    tensor._array = array
    tensor._node = node
    tensor._operation = operation
    tensor._numerics = numerics
    return tensor


def plain(value: Any) -> Any:
    """Return the array of a Tensor, and anything else as it is."""
    return value._array if isinstance(value, Tensor) else value


def start_of(tensor: Tensor, gradient: npt.ArrayLike | None) -> tuple[Node, Array]:
    """Return where a backward pass begins, and with which gradient."""
    if tensor._node is None:
        raise ValueError(
            f"no gradient can flow from this {tensor.operation!r}: nothing behind it "
            "has requires_grad, or it was computed under no_grad"
        )
    if gradient is None:
        if tensor.size != 1:
            raise ValueError(
                f"a tensor of shape {tensor.shape} needs the gradient to start from"
            )
        return tensor._node, np.ones(tensor.shape, tensor.dtype)
    start = np.array(plain(gradient), tensor.dtype)
    if start.shape != tensor.shape:
        raise ValueError(
            f"gradient must have the shape {tensor.shape}, not {start.shape}"
        )
    return tensor._node, start


def _read(data: Any, dtype: npt.DTypeLike | None) -> Array:
    """Copy numbers to an array of float32 or float64."""
    source = np.asarray(plain(data))
    if source.dtype.kind not in "biuf":
        raise TypeError(f"data must be real numbers, not {source.dtype}")
    wanted = np.dtype(dtype) if dtype is not None else np.dtype(np.float32)
    if dtype is None and isinstance(plain(data), np.ndarray | np.generic):
        wanted = source.dtype if source.dtype in _TYPES else wanted
    if wanted not in _TYPES:
        raise TypeError(f"dtype must be float32 or float64, not {wanted}")
    return np.array(source, wanted, order="C")


_TYPES = (np.dtype(np.float32), np.dtype(np.float64))
