"""`Runner`: a process that holds one library, and does its work when asked.

What a library does to its process is its own affair: memory that the C library keeps
once it has seen large arrays, objects that the garbage collector must walk, threads. A
process for each library gives each what its user has, and no more.
"""

import importlib
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Self

import numpy as np
from races import Race, Work


def races_of(module: str, topic: str, size: int) -> list[Race]:
    return list(getattr(importlib.import_module(module), topic)(size))


class Runner:
    """The other end of the process of a library, for the races of a topic."""

    def __init__(self, library: str, *topic: Any) -> None:
        self.library = library
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, library, topic), daemon=True
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.join()

    def begin(self, race: int, data: np.ndarray) -> None:
        """Get ready for a race, by number, on this input."""
        self._ask("begin", race, data)

    def seconds(self, threads: int) -> float:
        """Return the seconds of one thread for each part of the input, warmed up."""
        return self._ask("seconds", threads)

    def peak(self) -> float:
        """Return the MiB that the work takes at its peak, its result not counted."""
        return self._ask("peak")

    def _ask(self, *order: Any) -> Any:
        self._connection.send(order)
        try:
            return self._connection.recv()
        except EOFError:
            sys.exit(f"the process of {self.library} ended: see its error above")


def _serve(connection: Connection, library: str, topic: tuple[Any, ...]) -> None:
    worker = _Worker(library, races_of(*topic))
    while True:
        try:
            order, *details = connection.recv()
        except EOFError:
            return
        connection.send(getattr(worker, order)(*details))


class _Worker:
    """What happens in the process."""

    def __init__(self, library: str, races: list[Race]) -> None:
        self.library = library
        self.races = races
        # Threads that stay: they keep buffers, as a user's do.
        self.pool = ThreadPoolExecutor(2)
        self.work: Work
        self.data: np.ndarray

    def begin(self, race: int, data: np.ndarray) -> None:
        self.data = data
        self.work = self.races[race].entries[self.library].make()

    def seconds(self, threads: int) -> float:
        """The work is done twice: what lay idle while others had their turn is slow.

        Caches are cold then, and a virtual machine may have given freed memory away:
        its pages cost as much as all the work.
        """
        self._do(threads)
        start = time.perf_counter()
        self._do(threads)
        return time.perf_counter() - start

    def _do(self, threads: int) -> None:
        parts = np.array_split(self.data, threads)
        if threads == 1:  # without the cost of a pool
            self.work(parts[0])
        else:
            list(self.pool.map(self.work, parts))

    def peak(self) -> float:
        """A new thread has no buffers yet, so that the ones it keeps count as well."""
        tracemalloc.start()
        with ThreadPoolExecutor(1) as fresh:
            result: Any = fresh.submit(self.work, self.data).result()
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return (highest - result.nbytes) / 2**20
