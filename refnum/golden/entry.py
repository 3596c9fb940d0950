"""One golden file or folder of the suite, and the options that all share."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from refnum.golden.bundle import Bundle
from refnum.golden.record import GoldenFile

__all__ = ["Entry", "Options"]

_LEVELS = (1, 2)


@dataclass(frozen=True)
class Options:
    """How large a suite is, and which random values it has.

    Parameters
    ----------
    level : int
        1, what the repository holds; 2, every code and midpoint in every file and
        many more random values.
    seed : int
        Low word of the Philox key of all random values.
    """

    level: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if self.level not in _LEVELS:
            raise ValueError(f"level must be 1 or 2, not {self.level!r}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to 2**32 - 1, not {self.seed!r}")

    def key(self, path: str) -> tuple[int, int]:
        """Return the Philox key of a file: no two files share their random values."""
        return self.seed, zlib.crc32(path.encode())


@dataclass(frozen=True)
class Entry:
    """One golden file, or one folder: its path, and what makes its content."""

    path: str
    make: Callable[[Options], GoldenFile | Bundle]
