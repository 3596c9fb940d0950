"""Time refnum beside its peers: `python tests/benchmarks/run.py encode decode`.

A topic is a function of a sibling module that yields `Race`s: the same work done by
several libraries. `TOPICS` says which module has which topic, and only modules of
topics that were asked for are imported. Without arguments all topics run.
"""

import os

# Before NumPy is imported: threads of its own would blur what is compared.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import importlib
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TOPICS = {
    "autograd": "gradients",
    "elementary": "elementary",
    "sums": "elementary",
    "encode": "formats",
    "decode": "formats",
    "round_to": "formats",
    "stochastic": "formats",
    "pack": "formats",
    "quantize": "blocks",
    "hadamard": "hadamard",
    "gemm": "products",
    "matmul": "products",
    "train": "training",
}
PRODUCTS = {"gemm", "matmul"}
POOL = ThreadPoolExecutor(2)  # of threads that stay: they keep buffers, as a user's do


@dataclass(frozen=True)
class Entry:
    """One library's way of doing the work."""

    work: Callable[[np.ndarray], object]
    """Does the work; the argument is a contiguous part of the input."""
    share: float = 1.0
    """Of the input, how much it is given: less for slow libraries."""


@dataclass(frozen=True)
class Race:
    """The same work on the same input, by library; refnum comes first."""

    name: str
    data: np.ndarray
    entries: Mapping[str, Entry]
    memory: bool = True
    """Whether to report refnum's peak memory beyond its input and output."""
    weight: float = 1.0
    """Operations for each element of the input."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", help=", ".join(TOPICS))
    parser.add_argument("--repeats", type=int, default=5, help="timings of each entry")
    parser.add_argument(
        "--log2-size", type=int, default=24, help="elements, as a power"
    )
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.topics) - set(TOPICS))
    if unknown:
        parser.error(f"unknown topics {', '.join(unknown)}; known: {', '.join(TOPICS)}")
    sys.path.insert(0, str(Path(__file__).parent))
    for topic in arguments.topics or TOPICS:
        races = getattr(importlib.import_module(TOPICS[topic]), topic)
        unit = "multiply-adds" if topic in PRODUCTS else "elements"
        print(f"\n{topic}: 10^6 {unit}/s; ratio: refnum's speed over the library's")
        print(f"{'':24}{'library':12}{'1 thread':>10}{'ratio':>8}{'2 threads':>11}")
        for race in races(1 << arguments.log2_size):
            report(race, arguments.repeats)


def report(race: Race, repeats: int) -> None:
    single, double = (speeds(race, repeats, threads) for threads in (1, 2))
    first = single["refnum"]
    for place, (library, speed) in enumerate(single.items()):
        name = "" if place else race.name
        ratio = first / speed
        print(f"{name:24}{library:12}{speed:10.1f}{ratio:8.1f}{double[library]:11.1f}")
    if race.memory:
        print(f"{'':24}peak memory beyond input and output: {peak(race):.1f} MiB")


def speeds(race: Race, repeats: int, threads: int) -> dict[str, float]:
    """Return 10^6 elements/s of each entry: medians of interleaved timings."""
    seconds: dict[str, list[float]] = {name: [] for name in race.entries}
    sizes = {n: int(e.share * race.data.size) for n, e in race.entries.items()}
    for turn in range(repeats + 1):  # the first warms up
        for name, entry in race.entries.items():
            parts = np.array_split(race.data[: sizes[name]], threads)
            taken = clock(entry.work, parts)
            if turn:
                seconds[name].append(taken)
    return {
        n: race.weight * sizes[n] / statistics.median(t) / 1e6
        for n, t in seconds.items()
    }


def clock(work: Callable[[np.ndarray], object], parts: list[np.ndarray]) -> float:
    """Return the seconds that one thread a part takes."""
    start = time.perf_counter()
    if len(parts) == 1:
        work(parts[0])
    else:
        list(POOL.map(work, parts))
    return time.perf_counter() - start


def peak(race: Race) -> float:
    """Return the MiB that refnum takes at its peak, its result not counted.

    A new thread has no buffers yet, so that the ones it keeps count as well.
    """
    tracemalloc.start()
    with ThreadPoolExecutor(1) as fresh:
        result = fresh.submit(race.entries["refnum"].work, race.data).result()
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (highest - result.nbytes) / 2**20


if __name__ == "__main__":
    main()
