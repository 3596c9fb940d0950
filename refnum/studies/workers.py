"""Where trainings run: in processes, in threads, or on a dask cluster.

A worker process ends with the process that started it, however that ends: it holds the
reading end of a pipe, the *lifeline*, whose writing end the starter alone has. The
system closes that end when the starter dies.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from multiprocessing.connection import Connection
from typing import Any, Protocol

__all__ = ["DaskWorkers", "ProcessWorkers", "ThreadWorkers", "Workers", "workers_of"]

_ONE_THREAD = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Workers(Protocol):
    """What a sweep asks of an executor."""

    @property
    def count(self) -> int:
        """How many calls to have in flight."""
        ...

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Begin a call."""
        ...

    def lost(self, error: BaseException) -> bool:
        """Whether an error means that a worker died, rather than the call failed."""
        ...

    def rebuild(self) -> None:
        """Make new workers for those that died."""
        ...

    def close(self) -> None:
        """Let all workers go, at once."""
        ...


class ThreadWorkers:
    """Threads of this process."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._executor: Executor = ThreadPoolExecutor(count)

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Begin a call."""
        return self._executor.submit(call, *args)

    def lost(self, error: BaseException) -> bool:
        """Threads do not die."""
        return False

    def rebuild(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Begin no further calls; those in flight end first."""
        self._executor.shutdown(cancel_futures=True)


class ProcessWorkers:
    """Processes, started afresh, with one thread for products each."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._before = {name: os.environ.get(name) for name in _ONE_THREAD}
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # children inherit it
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        reader, self._lifeline = context.Pipe(duplex=False)
        self._reader = reader
        self._executor = ProcessPoolExecutor(
            self.count, context, initializer=_begin_worker, initargs=(reader,)
        )

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Begin a call."""
        return self._executor.submit(call, *args)

    def lost(self, error: BaseException) -> bool:
        """Whether a process died: all calls in flight have this error."""
        return isinstance(error, BrokenExecutor)

    def rebuild(self) -> None:
        """Start new processes."""
        self._stop()
        self._start()

    def close(self) -> None:
        """End all processes and give back the environment."""
        self._stop()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _stop(self) -> None:
        self._lifeline.close()
        self._executor.shutdown(cancel_futures=True)
        self._reader.close()


def _begin_worker(lifeline: Connection) -> None:
    """Leave Ctrl-C to the starter, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)


class DaskWorkers:
    """The workers of a dask cluster, through the client's own executor.

    Parameters
    ----------
    address : str
        Of the scheduler, as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    ValueError
        If distributed is not installed, or no scheduler answers.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed
        except ImportError:
            raise ValueError(
                "dask is not installed: pip install 'refnum[dask]'"
            ) from None
        library: Any = distributed  # it has no types
        try:
            self._client = library.Client(address, timeout="3s", set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"no dask scheduler at {address!r}: {error}") from None
        self._killed: type[Exception] = library.KilledWorker
        self._executor = self._client.get_executor(pure=False)

    @property
    def count(self) -> int:
        """Twice as many as there are threads, so that none waits."""
        return 2 * max(1, sum(map(int, self._client.ncores().values())))

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Begin a call."""
        future: Future[Any] = self._executor.submit(call, *args)
        return future

    def lost(self, error: BaseException) -> bool:
        """Whether the scheduler gave up, as worker after worker died."""
        return isinstance(error, self._killed)

    def rebuild(self) -> None:
        """Nothing to do: the cluster does."""

    def close(self) -> None:
        """Take back what has not begun, and leave the cluster as it is."""
        self._executor.shutdown(wait=False)  # cancels what has not begun
        self._client.close()


def workers_of(name: str, count: int) -> Workers:
    """Return workers by the name of their executor.

    Parameters
    ----------
    name : str
        ``processes``, ``threads`` or ``dask:ADDRESS``.
    count : int
        How many; a cluster has its own number.

    Raises
    ------
    ValueError
        If the name is unknown or the number not positive.
    """
    if type(count) is not int or count < 1:
        raise ValueError(f"workers is {count!r}; a positive integer is allowed")
    kind, _, address = name.partition(":")
    if kind == "dask" and address:
        return DaskWorkers(address)
    if name == "processes":
        return ProcessWorkers(count)
    if name == "threads":
        return ThreadWorkers(count)
    raise ValueError(
        f"unknown executor {name!r}; processes, threads and dask:ADDRESS are known"
    )
