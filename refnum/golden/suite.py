"""Which golden files there are: paths, and the functions that make their content.

Names say what decides the outputs: ``encode/e4m3.nearest_even.finite.hex`` is a
rounding with a saturation, ``encode/e4m3.cuda_nosat.hex`` the cast of a library,
``quantize/nvfp4.outlier-row`` a block format and what the case catches.
"""

from __future__ import annotations

from refnum.golden.entry import Entry, Options
from refnum.golden.scalar_suite import scalar_entries
from refnum.golden.tensor_suite import tensor_entries

__all__ = ["SUITE_VERSION", "Entry", "Options", "entries"]

SUITE_VERSION = "1.0.0"
"""Patch: more cases. Minor: more files. Major: a changed bit."""


def entries() -> tuple[Entry, ...]:
    """Return all entries, sorted by path.

    Examples
    --------
    >>> from refnum.golden import entries
    >>> entries()[0].path
    'decode/e1m2.hex'
    """
    every = [*scalar_entries(), *tensor_entries()]
    return tuple(sorted(every, key=lambda entry: entry.path))
