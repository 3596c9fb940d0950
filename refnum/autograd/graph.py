"""The engine: what was recorded, and the walk back through it.

Vocabulary. A *node* stands for one tensor that needs a gradient. A *leaf* is the node
of a tensor that was given, and collects its gradient; the others know their *parents*,
the nodes of the operation's arguments. A *plan* says what an operation keeps for its
VJPs, the functions from the gradient of its result to those of its arguments. A graph
is *freed* as the walk goes: each node forgets what it kept once it was used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from refnum.autograd.mode import FAST, MODE, Numerics
from refnum.autograd.numerics import total_of

__all__ = ["Node", "Plan", "propagate", "reduced_to"]

_FREED: tuple[Any, ...] = ("freed",)


class Plan(NamedTuple):
    """What an operation keeps if certain arguments need gradients."""

    name: str
    """Of the operation."""
    slots: tuple[int, ...]
    """What is kept: 0 is the result, k the k-th input, -k the shape of that input."""
    owners: tuple[int | None, ...]
    """Of each slot, the parent by number; -1 is the node itself, None no node."""
    calls: tuple[tuple[Callable[..., Any], tuple[int, ...]], ...]
    """Of each parent, its VJP and which slots that takes; or one for all parents."""
    joint: bool
    """Whether one VJP returns the gradients of all parents."""
    twice: bool
    """Whether the VJP can be differentiated again."""

    def kept(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what is kept of the result, inputs and extras."""
        slots = self.slots
        if not slots:
            return ()
        return tuple([values[k] if k >= 0 else values[-k].shape for k in slots])


class Node:
    """One tensor that needs a gradient, without the tensor."""

    __slots__ = (
        "gradient",
        "hooks",
        "numerics",
        "parents",
        "plan",
        "saved",
        "shape",
    )

    def __init__(
        self,
        like: npt.NDArray[Any],
        plan: Plan | None = None,
        parents: tuple[Node, ...] = (),
        saved: tuple[Any, ...] = (),
        numerics: Numerics = FAST,
    ) -> None:
        self.shape = like.shape
        self.plan = plan
        self.parents = parents
        self.saved = saved
        self.numerics = numerics
        self.gradient: Any = None
        self.hooks: list[Callable[[Any], Any]] | None = None

    @property
    def name(self) -> str:
        """Name of the operation."""
        return "leaf" if self.plan is None else self.plan.name

    def vjps(self, gradient: Any, wrap: Callable[..., Any] | None) -> Iterable[Any]:
        """Return the gradients of the parents, in their order."""
        plan, saved = self.plan, self.saved
        assert plan is not None
        if saved is _FREED:
            raise RuntimeError(
                f"the graph behind {plan.name!r} was freed by an earlier backward "
                "pass: compute the result again, or pass retain_graph=True"
            )
        if wrap is not None:
            if not plan.twice:
                raise RuntimeError(
                    f"{plan.name!r} cannot be differentiated twice: use its composition"
                )
            nodes = (*self.parents, self)
            saved = tuple(
                value if owner is None else wrap(value, nodes[owner])
                for value, owner in zip(saved, plan.owners, strict=True)
            )
        if plan.joint:
            vjp, slots = plan.calls[0]
            return vjp(gradient, *[saved[k] for k in slots])  # type: ignore[no-any-return]
        parts = []
        for vjp, slots in reversed(plan.calls):  # the first goes on: it is in the cache
            if slots:
                parts.append(vjp(gradient, *[saved[k] for k in slots]))
            else:
                parts.append(vjp(gradient))
        parts.reverse()
        return parts

    def free(self) -> None:
        """Forget what was kept and where it came from."""
        if self.plan is not None:
            self.saved, self.parents = _FREED, ()


def propagate(
    root: Node,
    gradient: Any,
    wanted: Sequence[Node] | None = None,
    *,
    retain_graph: bool = False,
    wrap: Callable[..., Any] | None = None,
) -> list[Any]:
    """Walk from a node to its leaves, each node once its gradient is complete.

    Gradients of `wanted` nodes are returned, None where none arrives. Without `wanted`,
    leaves collect them. With `wrap`, which makes a Tensor of an array and its node, the
    walk itself is recorded.
    """
    consumers = _count_consumers(root)
    gradients = {root: gradient}
    summed: set[Node] = set()
    results = dict.fromkeys(wanted or ())
    ready = [root]
    surroundings = mode = MODE.get()
    watcher = mode.on_gradient
    token = MODE.set(mode)
    try:
        while ready:
            node = ready.pop()
            total = gradients.pop(node, None)
            if node.hooks is not None and total is not None:
                total = _hooked(node, total)
            if watcher is not None and total is not None:
                watcher(node.name, total)
            if results and node in results:
                results[node] = total
            if node.plan is None:
                if wanted is None and total is not None:
                    node.gradient = _read_only(_sum(node.gradient, total))
                continue
            if node.numerics is not mode.numerics:
                mode = surroundings._replace(numerics=node.numerics)
                MODE.set(mode)
            parents = node.parents
            if total is None:  # reached, but through nothing that has a gradient
                parts: Iterable[Any] = [None] * len(parents)
            else:
                parts = node.vjps(total, wrap)
            for parent, part in zip(parents, parts, strict=True):
                if part is not None:
                    if part.shape != parent.shape:
                        part = reduced_to(parent.shape, part)
                    before = gradients.get(parent)
                    if before is None:
                        gradients[parent] = part
                    elif parent in summed:  # nobody else has seen this sum
                        before += part
                        gradients[parent] = before
                    else:
                        gradients[parent] = before + part
                        if wrap is None:
                            summed.add(parent)
                consumers[parent] -= 1
                if not consumers[parent]:
                    ready.append(parent)
            if not retain_graph:
                node.free()
    finally:
        MODE.reset(token)
    return [results[node] for node in wanted or ()]


def _count_consumers(root: Node) -> dict[Node, int]:
    """Return how many gradients each node below `root` waits for."""
    counts = {root: 0}
    stack = [root]
    while stack:
        for parent in stack.pop().parents:
            if parent in counts:
                counts[parent] += 1
            else:
                counts[parent] = 1
                stack.append(parent)
    return counts


def reduced_to(shape: tuple[int, ...], gradient: Any) -> Any:
    """Sum a gradient over the axes along which its argument was broadcast."""
    ahead = gradient.ndim - len(shape)
    axes = tuple(
        axis
        for axis, size in enumerate(gradient.shape)
        if axis < ahead or (shape[axis - ahead] == 1 and size != 1)
    )
    if isinstance(gradient, np.ndarray | np.generic):
        return total_of(gradient, axes).reshape(shape)
    return gradient.sum(axes).reshape(shape)


def _sum(total: Any, part: Any) -> Any:
    return part if total is None else total + part


def _read_only(gradient: Any) -> npt.NDArray[Any]:
    """Return an array that other leaves may share."""
    array = np.asarray(gradient)
    array.flags.writeable = False
    return array


def _hooked(node: Node, gradient: Any) -> Any:
    for hook in node.hooks or ():
        changed = hook(gradient)
        if changed is not None:
            if np.shape(changed) != node.shape:
                raise ValueError(
                    f"a hook on {node.name!r} returned the shape {np.shape(changed)}, "
                    f"but the gradient has {node.shape}"
                )
            gradient = changed
    return gradient
