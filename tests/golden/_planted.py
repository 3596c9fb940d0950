"""Kernels that are wrong on purpose, in plain NumPy: they share nothing with the search."""

from pathlib import Path

import numpy as np

from refnum.golden import diagnose, read, read_bundle

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def opened(path):
    """The golden file or folder of that path."""
    place = GOLDEN / path
    return read_bundle(place) if place.is_dir() else read(place)


def inputs(file):
    """The columns of a golden file by their names."""
    rows = np.array([case.fields for case in file.cases], np.uint64)
    return {c.name: rows[:, i] for i, c in enumerate(file.columns)}


def singles(words):
    return words.astype(np.uint32).view(np.float32)


def named(golden, outputs):
    """The diagnosis of a candidate that differs, and is explained at least in part."""
    found = diagnose(golden, outputs)
    assert found.differing > 0, "the planted deviation changes nothing here"
    assert found.findings, "nothing was found"
    return found


def magnitudes(exponent, mantissa, bias):
    """The value of every code of a sign-magnitude format, without the sign."""
    code = np.arange(1 << (exponent + mantissa))
    field, fraction = code >> mantissa, code & ((1 << mantissa) - 1)
    subnormal = fraction * 2.0 ** (1 - bias - mantissa)
    normal = (1 + fraction / 2.0**mantissa) * 2.0 ** (field - bias)
    return np.where(field == 0, subnormal, normal)


def convert(x, layout, last, up, *, overflow=None, infinity=None, nan=0x7F):
    """Convert to a sign-magnitude format.

    `up(share, odd, negative)` says which values between two codes go away from zero;
    codes above `last` become `overflow`, infinities `infinity`, both `last` by default.
    """
    exponent, mantissa, bias = layout
    grid = magnitudes(exponent, mantissa, bias)[: last + 2]
    if len(grid) < last + 2:  # one more step, for the rounding beyond the largest
        grid = np.append(grid, 2 * grid[-1] - grid[-2])
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float64)
    size, negative = np.abs(wide), np.signbit(wide)
    inside = np.where(size < grid[-1], size, 0)
    low = np.searchsorted(grid, inside, "right") - 1
    share = (inside - grid[low]) / (grid[np.minimum(low + 1, last + 1)] - grid[low])
    code = low + up(share, low % 2 == 1, negative)
    code = np.where(size >= grid[-1], last + 1, code)
    code = np.where(code > last, last if overflow is None else overflow, code)
    code = np.where(np.isinf(size), last if infinity is None else infinity, code)
    sign = negative.astype(np.int64) << (exponent + mantissa)
    return np.where(np.isnan(wide), nan, code | sign).astype(np.uint8)


def even(share, odd, negative):
    return (share > 0.5) | ((share == 0.5) & odd)


def away(share, odd, negative):
    return share >= 0.5


def toward_zero_ties(share, odd, negative):
    return share > 0.5


def ties_up(share, odd, negative):
    return (share > 0.5) | ((share == 0.5) & ~negative)


def never(share, odd, negative):
    return np.zeros(share.shape, bool)


def always(share, odd, negative):
    return share > 0


def upward(share, odd, negative):
    return (share > 0) & ~negative


def downward(share, odd, negative):
    return (share > 0) & negative


def to_odd(share, odd, negative):
    return (share > 0) & ~odd


def keep_bits(x, bits):
    """Round float32 to nearest even with that many fraction bits, by integers."""
    drop = np.uint32(23 - bits)
    words = x.view(np.uint32).copy()
    odd = words >> drop & np.uint32(1)
    rounded = words + (np.uint32((1 << (int(drop) - 1)) - 1) + odd)
    rounded &= np.uint32(0xFFFFFFFF << int(drop) & 0xFFFFFFFF)
    return np.where(np.isfinite(x), rounded.view(np.float32), x)
