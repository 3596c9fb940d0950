"""Hypothesis strategies for formats, codes, and the values that conversions trip over.

They shrink towards what is easy to read: towards E2M1, low codes, and values on the
grid rather than beside it. Hypothesis comes with ``pip install refnum[testing]``.

Examples
--------
>>> from hypothesis import given
>>> import refnum as rn
>>> from refnum.testing import strategies
>>> @given(strategies.hard_floats(rn.E4M3, specials=False))
... def test_stays_in_range(x):
...     assert abs(rn.round_to(x, rn.E4M3)) <= 448
>>> test_stays_in_range()
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from refnum import formats as _formats
from refnum.blocks import BlockFormat
from refnum.blocks import block_format as _find_block
from refnum.blocks import names as _block_names
from refnum.formats import BF16, FP16, FP32, TF32, Format

__all__ = [
    "arrays_near",
    "block_formats",
    "codes",
    "formats",
    "hard_floats",
    "values",
]

_WIDE = (FP16, BF16, TF32, FP32)
_SPECIALS = (math.inf, -math.inf, math.nan, -0.0)


def formats(*, wide: bool = False) -> SearchStrategy[Format]:
    """Return a strategy for element and scale formats, simplest first.

    Parameters
    ----------
    wide : bool
        Whether FP16, BF16, TF32 and FP32 are among them.
    """
    everything = {
        f.name: f for f in vars(_formats).values() if isinstance(f, Format)
    }.values()
    chosen = [f for f in everything if wide or f not in _WIDE]
    return st.sampled_from(sorted(chosen, key=lambda f: (f.bits, f.name)))


def codes(fmt: Format, *, nan: bool = True) -> SearchStrategy[int]:
    """Return a strategy for the codes of a format, low ones first.

    Parameters
    ----------
    fmt : Format
        The format.
    nan : bool
        Whether codes of NaN are among them.
    """
    every = st.integers(0, 2**fmt.bits - 1)
    if nan:
        return every
    if fmt.bits > 16:
        return every.filter(
            lambda code: not np.isnan(_formats.decode(code, fmt, np.float64))
        )
    return st.sampled_from(np.flatnonzero(~np.isnan(fmt.values)).tolist())


def values(
    fmt: Format, *, nan: bool = False, infinity: bool = True
) -> SearchStrategy[float]:
    """Return a strategy for the values that a format has.

    Parameters
    ----------
    fmt : Format
        The format, of at most 16 bits.
    nan, infinity : bool
        Whether these are among them.
    """
    table = fmt.values
    wanted = np.isfinite(table)
    if nan:
        wanted |= np.isnan(table)
    if infinity:
        wanted |= np.isinf(table)
    return st.sampled_from(sorted(table[wanted].tolist(), key=_simplicity))


def hard_floats(
    fmt: Format, *, specials: bool = True, dtype: npt.DTypeLike = np.float32
) -> SearchStrategy[float]:
    """Return a strategy for floats that are hard to convert to a format.

    They are values of the format, midpoints between two of them, one unit in the last
    place beside either, the edges of overflow and of underflow, and any other float.

    Parameters
    ----------
    fmt : Format
        The target, of at most 16 bits.
    specials : bool
        Whether infinities, NaN and -0 are among them.
    dtype : float32 or float64
        The floats' own type; each is exact in it.

    Raises
    ------
    TypeError
        If `dtype` is another type.
    """
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, not {kind}")
    landmarks = [float(x) for x in _landmarks(fmt, kind)]
    steps = st.sampled_from([0, 1, -1, 2, -2])
    near = st.builds(
        lambda x, n: _stepped(x, n, kind), st.sampled_from(landmarks), steps
    )
    other = st.floats(
        width=32 if kind == np.float32 else 64, allow_nan=False, allow_infinity=False
    )
    kinds = [near, other]
    if specials:
        kinds.append(st.sampled_from(_SPECIALS))
    return st.one_of(kinds)


@st.composite
def arrays_near(
    draw: st.DrawFn,
    fmt: Format,
    shape: tuple[int, ...] | int,
    *,
    specials: bool = False,
) -> npt.NDArray[np.float32]:
    """Return a strategy for float32 arrays of values that are hard for a format.

    A power of two common to all moves them to where scaling matters.

    Parameters
    ----------
    draw
        Given by hypothesis.
    fmt : Format
        The element format.
    shape : int or tuple of int
        Of the arrays.
    specials : bool
        Whether infinities, NaN and -0 are among the values.
    """
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    element = hard_floats(fmt, specials=specials)
    flat = draw(st.lists(element, min_size=count, max_size=count))
    exponent = draw(st.sampled_from([0, 1, -1, 7, -7, 40, -40, 120, -140]))
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(np.array(flat, np.float32), exponent)
    return scaled.reshape(shape)


def block_formats() -> SearchStrategy[BlockFormat]:
    """Return a strategy for the named block formats without random bits."""
    found = [_find_block(name) for name in _block_names()]
    plain = [
        f
        for f in found
        if isinstance(f, BlockFormat) and f.element_cast.random_bits is None
    ]
    return st.sampled_from(plain)


def _landmarks(fmt: Format, kind: np.dtype[Any]) -> list[float]:
    """Return values, midpoints and edges of a format, those near zero first."""
    finite = fmt.values[np.isfinite(fmt.values)]
    grid = sorted({float(v) for v in finite})
    middles = [(low + high) / 2 for low, high in pairwise(grid)]
    step = grid[-1] - grid[-2]
    beyond = [grid[-1] + step / 2, grid[-1] + step]
    if fmt.signed:
        beyond += [-x for x in beyond]
    tiny = [x / 2 for x in grid if x and abs(x) == min(abs(v) for v in grid if v)]
    largest = float(np.finfo(kind).max)
    return sorted(
        {x for x in (*grid, *middles, *beyond, *tiny) if abs(x) <= largest},
        key=_simplicity,
    )


def _stepped(x: float, steps: int, kind: np.dtype[Any]) -> float:
    """Return the float some units in the last place away."""
    value = kind.type(x)
    toward = kind.type(math.copysign(math.inf, steps))
    for _ in range(abs(steps)):
        value = np.nextafter(value, toward)
    return float(value)


def _simplicity(value: float) -> tuple[bool, bool, float]:
    """Order values for shrinking: finite ones first, positive ones, small ones."""
    return (not math.isfinite(value), value < 0, abs(value))
