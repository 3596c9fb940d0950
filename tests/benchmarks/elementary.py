"""Races of the elementary functions and of sums in a fixed order.

The peers are NumPy's float32 function, which is not correctly rounded and differs
between processors, and NumPy's or SciPy's float64 function, rounded.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from races import Entry, Race, Work, normals

FUNCTIONS = ("exp", "log", "tanh", "erf", "rsqrt", "sin", "cos", "sigmoid", "expm1")
PEERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
POSITIVE = ("log", "rsqrt")
ROWS = 1024  # elements of a row to add


def elementary(size: int) -> Iterator[Race]:
    draw = normals(size)
    for name in FUNCTIONS:
        entries = {"refnum": Entry(partial(portable, name))}
        if name != "erf" or find_spec("scipy"):
            entries["float32"] = Entry(partial(peer, name))
            entries["float64"] = Entry(partial(rounded, name))
        data = (lambda: np.abs(draw())) if name in POSITIVE else draw
        yield Race(name, data, entries)


def sums(size: int) -> Iterator[Race]:
    for order in ("pairwise", "sequential", "exact"):
        entries = {
            "refnum": Entry(partial(sum_of_rows, order)),
            "numpy": Entry(numpy_sum_of_rows),
        }
        yield Race(f"{order} sum of rows", normals(size), entries, memory=False)


def portable(name: str) -> Work:
    from refnum import elementary

    return getattr(elementary, name)


def peer(name: str) -> Work:
    if name == "erf":
        from scipy.special import erf

        return erf
    return PEERS.get(name) or getattr(np, name)


def rounded(name: str) -> Work:
    function = peer(name)
    return lambda x: function(x.astype(np.float64)).astype(np.float32)


def sum_of_rows(order: str) -> Work:
    total = portable("sum")
    return lambda x: total(x.reshape(-1, ROWS), axis=1, order=order)


def numpy_sum_of_rows() -> Work:
    return lambda x: np.sum(x.reshape(-1, ROWS), axis=1)
