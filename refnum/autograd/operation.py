"""`Operation`: a function of arrays, and the VJPs of its arguments.

An operation is one row of a table. It says what its arguments are called, and gives a
VJP for each: a function of the gradient ``g`` of the result, whose other parameters
name what it needs: arguments, options, ``out`` (the result), and ``x_shape`` for the
shape of argument ``x``. Only what is named is kept::

    multiply = Operation("multiply", np.multiply, "x y",
                         x=lambda g, y: g * y, y=lambda g, x: g * x)

A VJP is written with operators and operations, which take arrays and tensors alike, so
that it can be differentiated again. Where arguments are broadcast, it need not say so:
the engine sums gradients down to the shapes of the arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from refnum.autograd.graph import Node, Plan
from refnum.autograd.mode import FAST, MODE, Numerics, use
from refnum.autograd.operators import OPERATIONS
from refnum.autograd.tensor import Tensor, wrap

__all__ = ["Operation"]

_FLOAT32 = np.dtype(np.float32)
_SCALARS = (float, int, bool)


class Operation:
    """A function of arrays that tensors can pass through.

    Parameters
    ----------
    name : str
        What results, messages and observers call it.
    forward : callable
        Takes the arrays of the arguments, then the options, all by position.
    arguments : str
        Names of the arguments, separated by blanks; a last one ``*rest`` stands for
        any number.
    options : str
        Names of what follows the arguments and has no gradient.
    joint : callable, optional
        In place of VJPs: one function that returns the gradients of all arguments that
        need one, in their order. Its second parameter may be ``needs``, a bool for
        each argument.
    twice : bool
        Whether the VJPs can be differentiated again.
    extras : int
        How many more arrays `forward` returns, as a tuple with the result, for the
        VJPs, which call them ``extra0``, ``extra1``.
    converts : bool
        Whether the result may have another type than the arguments.
    doc : str
        One sentence.
    **vjps : callable
        The VJP of each argument; an argument without one has no gradient.

    Notes
    -----
    Called with arrays alone, an operation returns an array; with at least one Tensor, a
    Tensor. Numbers take on the type of the tensors; arrays of integers and bool are
    converted; tensors and arrays of different floating types are refused.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.autograd import Operation, Tensor
    >>> cube = Operation("cube", lambda x: x * x * x, x=lambda g, x: 3 * g * x * x)
    >>> x = Tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    array(12., dtype=float32)
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        arguments: str = "x",
        options: str = "",
        *,
        joint: Callable[..., Any] | None = None,
        twice: bool = True,
        extras: int = 0,
        converts: bool = False,
        doc: str = "",
        **vjps: Callable[..., Any],
    ) -> None:
        self.name = self.__name__ = name
        self.forward = forward
        self.arguments = tuple(arguments.split())
        self.options = tuple(options.split())
        self.vjps = vjps
        self.joint = joint
        self.twice = twice
        self.extras = extras
        self.converts = converts
        if doc:
            self.__doc__ = doc
        self._plans: dict[int | tuple[bool, ...], Plan] = {}
        OPERATIONS[name] = self

    def __repr__(self) -> str:
        return f"Operation({self.name!r})"

    def __call__(self, *inputs: Any, numerics: Numerics | None = None) -> Any:
        """Compute the operation, and record it if a gradient may be asked for.

        Parameters
        ----------
        *inputs
            Arguments (Tensor, array or number), then options.
        numerics : Numerics, optional
            Arithmetic of this call.

        Returns
        -------
        Tensor or ndarray
            The result.
        """
        if numerics is not None:
            with use(numerics):
                return self(*inputs)
        count = len(inputs) - len(self.options)
        values: list[Any] = []
        nodes: list[Node | None] = []
        constants: list[int] = []
        dtype = None
        for value in inputs:
            if isinstance(value, Tensor):
                values.append(value._array)
                nodes.append(value._node)
                kind = value._array.dtype
                if dtype is None:
                    dtype = kind
                elif kind != dtype:
                    raise TypeError(
                        f"{self.name!r} mixes {dtype} and {kind}: use astype"
                    )
            else:
                if not isinstance(value, _SCALARS):
                    constants.append(len(values))
                values.append(value)
                nodes.append(None)
        if dtype is None:
            out = self.forward(*inputs)
            return out[0] if self.extras else out
        for position in constants:
            if position < count:
                values[position] = self._constant(values[position], dtype)
        return self._record(self.forward(*values), values, nodes[:count], dtype)

    def _record(
        self, out: Any, values: list[Any], nodes: list[Node | None], dtype: Any
    ) -> Tensor:
        """Return the result as a Tensor, with a node if it needs a gradient."""
        extras: tuple[Any, ...] = ()
        if self.extras:
            out, *extras = out
        if type(out) is not np.ndarray:
            out = np.asarray(out)
        kind = out.dtype
        if kind is not dtype and kind != dtype and not self.converts:
            raise TypeError(f"{self.name!r} mixes {dtype} and {kind}: use astype")
        out.flags.writeable = False
        mode = MODE.get()
        numerics = mode.numerics if kind == _FLOAT32 else FAST
        node = None
        if mode.recording:
            parents = tuple([node for node in nodes if node is not None])
            if parents:
                plan = self._plan(nodes, len(parents))
                if plan.calls:
                    kept = plan.kept((out, *values, *extras)) if plan.slots else ()
                    node = Node(out, plan, parents, kept, numerics)
        tensor = wrap(out, node, self.name, numerics)
        if mode.on_result is not None:
            mode.on_result(tensor)
        return tensor

    def _plan(self, nodes: list[Node | None], count: int) -> Plan:
        """Return what is kept when `count` of these need gradients, from memory."""
        whole = count == len(nodes)
        key = count if whole else tuple([node is not None for node in nodes])
        plan = self._plans.get(key)
        if plan is None:
            needs = tuple([node is not None for node in nodes])
            plan = self._plans[key] = self._new_plan(needs)
        return plan

    def _new_plan(self, needs: tuple[bool, ...]) -> Plan:
        """Return what is kept when these arguments need gradients."""
        positions = self._positions(len(needs))
        wanted = [k for k, need in enumerate(needs) if need]
        if self.joint is not None:
            vjps = [self.joint]
        else:
            vjps = [v for k in wanted if (v := self.vjps.get(self._argument(k)))]
            if vjps and len(vjps) < len(wanted):
                missing = [self._argument(k) for k in wanted]
                raise ValueError(
                    f"{self.name!r} has no gradient for one of its arguments "
                    f"{', '.join(missing)}: detach it"
                )
        slots: list[int] = []
        calls = []
        for vjp in vjps:
            taken = []
            parameters = list(inspect.signature(vjp).parameters)[1:]
            if parameters[:1] == ["needs"]:
                del parameters[0]
                vjp = _given(vjp, needs)
            for parameter in parameters:
                slot = positions[parameter]
                if slot not in slots:
                    slots.append(slot)
                taken.append(slots.index(slot))
            calls.append((vjp, tuple(taken)))
        parent = {k + 1: number for number, k in enumerate(wanted)}
        owners = tuple(-1 if slot == 0 else parent.get(slot) for slot in slots)
        return Plan(
            self.name,
            tuple(slots),
            owners,
            tuple(calls),
            self.joint is not None,
            self.twice,
        )

    def _argument(self, position: int) -> str:
        last = len(self.arguments) - 1
        return self.arguments[min(position, last)]

    def _positions(self, count: int) -> dict[str, int]:
        """Return where each name that a VJP may use stands."""
        names = ["out", *[self._argument(k) for k in range(count)], *self.options]
        names += [f"extra{k}" for k in range(self.extras)]
        places = {name: k for k, name in enumerate(names)}
        shapes = {f"{names[k]}_shape": -k for k in range(1, count + 1)}
        return places | shapes

    def _constant(self, value: Any, dtype: np.dtype[Any]) -> Any:
        """Return an array that takes part without a gradient, safe from changes."""
        if isinstance(value, np.generic):
            return value.item()
        array = np.asarray(value, None if isinstance(value, np.ndarray) else dtype)
        if array.dtype.kind in "biu":
            return array.astype(dtype)
        if array.dtype != dtype:
            raise TypeError(
                f"{self.name!r} mixes {dtype} and {array.dtype}: use astype"
            )
        return array.copy() if array.flags.writeable else array


def _given(vjp: Callable[..., Any], needs: tuple[bool, ...]) -> Callable[..., Any]:
    """Return a joint VJP that knows which arguments need gradients."""
    return lambda g, *rest: vjp(g, needs, *rest)
