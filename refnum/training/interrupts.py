"""Ctrl-C at a moment that suits: between two steps, not in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupts"]


class Interrupts:
    """Holds an interrupt back while a step is under way.

    Use `held` for the whole of a run and `step` for each step of it: the first Ctrl-C
    raises KeyboardInterrupt at the end of the step, a second one at once. Outside the
    main thread, and where SIGINT is handled by others, nothing is held back.
    """

    def __init__(self) -> None:
        self._busy = False
        self._waiting = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take over SIGINT within a block."""
        usual = signal.default_int_handler
        here = threading.current_thread() is threading.main_thread()
        if not here or signal.getsignal(signal.SIGINT) is not usual:
            yield
            return
        signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Let a step end before an interrupt is raised."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
        if self._waiting:
            self._waiting = False
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._busy and not self._waiting:
            self._waiting = True
            return
        raise KeyboardInterrupt
