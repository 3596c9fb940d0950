"""What surrounds an operation: whether it is recorded, its numerics, who watches.

Vocabulary. *Numerics* say which arithmetic operations use: `REPRODUCIBLE` gives the
same bits on every machine, `FAST` what NumPy, BLAS and libm make of it. An *observer*
sees every result and every gradient. All three hold within a `with` block, in one
thread or task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

from refnum.products import EXACT, Accumulator

__all__ = [
    "FAST",
    "MODE",
    "REPRODUCIBLE",
    "Mode",
    "Numerics",
    "no_grad",
    "observe",
    "recording",
    "use",
]


@dataclass(frozen=True)
class Numerics:
    """Which arithmetic operations on float32 use.

    Parameters
    ----------
    name : str
        What results are marked with.
    accumulator : Accumulator or None
        How matrix products add up; None leaves it to BLAS.
    portable : bool
        Whether functions and sums come from `refnum.elementary`, not from NumPy.

    Notes
    -----
    float64 serves gradient checks, and is always computed with `FAST`.

    Every operation whose result depends on them takes ``numerics=``. Moving, choosing,
    scattering and converting elements does not: all numerics agree on it, and the sums
    in its gradients follow the surrounding `use`.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import refnum as rn
    >>> from refnum.autograd import REPRODUCIBLE
    >>> REPRODUCIBLE
    Numerics(name='reproducible', accumulator=<Accumulator.EXACT: 'exact'>, portable=True)
    >>> in_order = replace(REPRODUCIBLE, name="in order", accumulator=rn.SEQUENTIAL)
    """

    name: str
    accumulator: Accumulator | None
    portable: bool


REPRODUCIBLE = Numerics("reproducible", accumulator=EXACT, portable=True)
FAST = Numerics("fast", accumulator=None, portable=False)


class Mode(NamedTuple):
    """All that surrounds an operation."""

    recording: bool = True
    numerics: Numerics = REPRODUCIBLE
    on_result: Callable[[Any], object] | None = None
    on_gradient: Callable[[str, Any], object] | None = None


MODE: ContextVar[Mode] = ContextVar("MODE", default=Mode())  # noqa: B039 frozen


@contextmanager
def _changed(**fields: Any) -> Iterator[None]:
    token = MODE.set(MODE.get()._replace(**fields))
    try:
        yield
    finally:
        MODE.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Record no operations: results need no gradients, and keep nothing alive.

    Examples
    --------
    >>> from refnum.autograd import Tensor, no_grad
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad():
    ...     (x * 2).requires_grad
    False
    """
    with _changed(recording=False):
        yield


@contextmanager
def recording() -> Iterator[None]:
    """Record operations also within `no_grad`."""
    with _changed(recording=True):
        yield


@contextmanager
def use(numerics: Numerics) -> Iterator[None]:
    """Compute with the given numerics.

    Parameters
    ----------
    numerics : Numerics
        `REPRODUCIBLE`, `FAST` or a variant of them. The backward pass repeats the
        choice that each operation was recorded with.

    Raises
    ------
    TypeError
        If `numerics` is none.

    Examples
    --------
    >>> from refnum.autograd import FAST, Tensor, use
    >>> x = Tensor([1.0, 2.0])
    >>> with use(FAST):
    ...     (x * x).numerics.name
    'fast'
    """
    if not isinstance(numerics, Numerics):
        raise TypeError(f"numerics must be Numerics, not {numerics!r}")
    with _changed(numerics=numerics):
        yield


@contextmanager
def observe(
    on_result: Callable[[Any], object] | None = None,
    on_gradient: Callable[[str, Any], object] | None = None,
) -> Iterator[None]:
    """Show every result and every gradient to functions.

    Parameters
    ----------
    on_result : callable, optional
        Called with each `Tensor` that an operation returns.
    on_gradient : callable, optional
        Called in the backward pass with the name of each operation (`"leaf"` for a
        tensor that was given) and the complete gradient of its result.

    Examples
    --------
    >>> from refnum.autograd import Tensor, observe
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> with observe(lambda result: print(result.operation, result.shape)):
    ...     y = (x * x + 1).sum()
    multiply (2,)
    add (2,)
    sum ()
    """
    with _changed(on_result=on_result, on_gradient=on_gradient):
        yield
