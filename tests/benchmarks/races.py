"""What is raced: the same work on the same input, by several libraries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

Work = Callable[[np.ndarray], object]
"""Does the work; the argument is a contiguous part of the input."""


@dataclass(frozen=True)
class Entry:
    """One library's way of doing the work."""

    make: Callable[[], Work]
    """Imports the library and returns its work; called in a process of its own."""
    share: float = 1.0
    """Of the input, how much it is given: less for slow libraries."""


@dataclass(frozen=True)
class Race:
    """The same work on the same input, by library; refnum comes first."""

    name: str
    data: Callable[[], np.ndarray]
    """Makes the input."""
    entries: Mapping[str, Entry]
    memory: bool = True
    """Whether to report refnum's peak memory beyond its input and output."""
    weight: float = 1.0
    """Operations for each element of the input."""


def normals(size: int) -> Callable[[], np.ndarray]:
    """Return what draws `size` standard normal float32, always the same."""
    return lambda: np.random.default_rng(0).standard_normal(size, dtype=np.float32)


def ours(name: str, **options: object) -> Callable[[], Work]:
    """Return what imports a function of refnum and sets its options."""

    def make() -> Work:
        import refnum

        return partial(getattr(refnum, name), **options)

    return make
