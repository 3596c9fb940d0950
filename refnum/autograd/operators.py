"""What can be written with a `Tensor`: operators, indexing and methods.

Each looks its operation up by name, so that the table of operations stands in modules
that know tensors, and not the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

__all__ = ["OPERATIONS", "Operators"]

OPERATIONS: dict[str, Callable[..., Any]] = {}
"""Every operation by its name; the modules that define them fill it."""

_Axis = int | tuple[int, ...] | None


class Operators:
    """Operators of a tensor, which keeps its numbers in `_array`."""

    __slots__ = ()

    _array: npt.NDArray[np.floating[Any]]

    # NumPy's operators leave the work to the reflected ones below.
    __array_ufunc__ = None

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("NumPy does not compute gradients: use t.data for the array")

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TypeError(
            "a Tensor does not change in place, as gradients may need its values: "
            "use where or scatter_add, or set t.data of a leaf"
        )

    def __len__(self) -> int:
        return len(self._array)

    def __bool__(self) -> bool:
        return bool(self._array)

    def __float__(self) -> float:
        return float(self._array.item())

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return self._array == _plain(other)

    def __ne__(self, other: object) -> Any:
        return self._array != _plain(other)

    def __lt__(self, other: Any) -> Any:
        return self._array < _plain(other)

    def __le__(self, other: Any) -> Any:
        return self._array <= _plain(other)

    def __gt__(self, other: Any) -> Any:
        return self._array > _plain(other)

    def __ge__(self, other: Any) -> Any:
        return self._array >= _plain(other)

    def __neg__(self) -> Any:
        return OPERATIONS["negative"](self)

    def __add__(self, other: Any) -> Any:
        return OPERATIONS["add"](self, other)

    def __radd__(self, other: Any) -> Any:
        return OPERATIONS["add"](other, self)

    def __sub__(self, other: Any) -> Any:
        return OPERATIONS["subtract"](self, other)

    def __rsub__(self, other: Any) -> Any:
        return OPERATIONS["subtract"](other, self)

    def __mul__(self, other: Any) -> Any:
        return OPERATIONS["multiply"](self, other)

    def __rmul__(self, other: Any) -> Any:
        return OPERATIONS["multiply"](other, self)

    def __truediv__(self, other: Any) -> Any:
        return OPERATIONS["divide"](self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return OPERATIONS["divide"](other, self)

    def __pow__(self, other: Any) -> Any:
        return OPERATIONS["power"](self, other)

    def __rpow__(self, other: Any) -> Any:
        return OPERATIONS["power"](other, self)

    def __matmul__(self, other: Any) -> Any:
        return OPERATIONS["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return OPERATIONS["matmul"](other, self)

    def __getitem__(self, key: Any) -> Any:
        return OPERATIONS["getitem"](self, key)

    def astype(self, dtype: npt.DTypeLike) -> Any:
        """Return the tensor as float32 or float64."""
        return OPERATIONS["astype"](self, dtype)

    def reshape(self, *shape: Any) -> Any:
        """Return the elements in another shape, in the same order."""
        return OPERATIONS["reshape"](self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """Return the axes in another order; reversed if none is given."""
        order = axes[0] if len(axes) == 1 else (axes or None)
        return OPERATIONS["transpose"](self, order)

    @property
    def T(self) -> Any:
        """The tensor with its axes reversed."""
        return OPERATIONS["transpose"](self)

    def sum(self, axis: _Axis = None, keepdims: bool = False) -> Any:
        """Return the sum along axes."""
        return OPERATIONS["sum"](self, axis, keepdims)

    def mean(self, axis: _Axis = None, keepdims: bool = False) -> Any:
        """Return the mean along axes."""
        return OPERATIONS["mean"](self, axis, keepdims)

    def max(self, axis: _Axis = None, keepdims: bool = False) -> Any:
        """Return the largest along axes."""
        return OPERATIONS["max"](self, axis, keepdims)

    def min(self, axis: _Axis = None, keepdims: bool = False) -> Any:
        """Return the smallest along axes."""
        return OPERATIONS["min"](self, axis, keepdims)

    def var(self, axis: _Axis = None, ddof: int = 0, keepdims: bool = False) -> Any:
        """Return the variance along axes."""
        return OPERATIONS["var"](self, axis, ddof, keepdims)


def _plain(value: Any) -> Any:
    return value._array if isinstance(value, Operators) else value
