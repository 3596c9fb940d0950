"""Races of the elementary functions and of sums in a fixed order.

The peers are NumPy's float32 function, which is not correctly rounded and differs
between processors, and NumPy's or SciPy's float64 function, rounded.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from run import Entry, Race

from refnum import elementary as portable

FUNCTIONS = ("exp", "log", "tanh", "erf", "rsqrt", "sin", "cos", "sigmoid", "expm1")
PEERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
POSITIVE = ("log", "rsqrt")
ROWS = 1024  # elements of a row to add


def elementary(size: int) -> Iterator[Race]:
    x = np.random.default_rng(0).standard_normal(size, dtype=np.float32)
    for name in FUNCTIONS:
        data = np.abs(x) if name in POSITIVE else x
        entries = {"refnum": Entry(getattr(portable, name))} | peers(name)
        yield Race(name, data, entries)


def sums(size: int) -> Iterator[Race]:
    x = np.random.default_rng(0).standard_normal(size, dtype=np.float32)
    for order in ("pairwise", "sequential", "exact"):
        work = partial(portable.sum, axis=1, order=order)
        entries = {
            "refnum": Entry(partial(on_rows, work)),
            "numpy": Entry(partial(on_rows, partial(np.sum, axis=1))),
        }
        yield Race(f"{order} sum of rows", x, entries, memory=False)


def on_rows(work: Callable[[np.ndarray], object], part: np.ndarray) -> object:
    return work(part.reshape(-1, ROWS))


def peers(name: str) -> dict[str, Entry]:
    if name == "erf":
        return scipys() if find_spec("scipy") else {}
    peer = PEERS.get(name) or getattr(np, name)
    return {"float32": Entry(peer), "float64": Entry(partial(rounded, peer))}


def scipys() -> dict[str, Entry]:
    from scipy.special import erf

    return {"float32": Entry(erf), "float64": Entry(partial(rounded, erf))}


def rounded(peer: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    return peer(x.astype(np.float64)).astype(np.float32)
