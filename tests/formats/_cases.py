"""Inputs on which conversions go wrong, and the comparison that shows where.

Vocabulary. A *landmark* of a format is a positive value at which a decision
changes: each finite value, each midpoint of two, the overflow midpoint, half of the
smallest value. *Hard* values are landmarks, their near neighbours, and specials.
"""

from functools import cache

import numpy as np

from refnum import formats
from refnum.formats import Rounding, exact

DETERMINISTIC = [r for r in Rounding if not r.is_stochastic]
STOCHASTIC = [r for r in Rounding if r.is_stochastic]
UP_TO_16_BITS = [fmt for fmt in formats.FORMATS if fmt.bits <= 16]
FP8_AND_FP4 = [fmt for fmt in UP_TO_16_BITS if fmt.bits <= 8 and fmt.exponent_bits]

EVERY_BF16 = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
EVERY_FP16 = np.arange(1 << 16, dtype=np.uint16).view(np.float16)

# Quiet and signalling NaNs of both signs, infinities, zeros, the ends of the range.
_SPECIAL_FLOAT32 = np.array(
    [
        *(0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF),
        *(0x7F800000, 0xFF800000, 0x00000000, 0x80000000),
        *(0x7F7FFFFF, 0xFF7FFFFF, 0x00000001, 0x80000001, 0x007FFFFF, 0x00800000),
        *(0x00400000, 0x00400001, 0x005FFFFF, 0x00600000, 0x00600001),
    ],
    np.uint32,
).view(np.float32)
_FLOAT64_ONLY = np.array([5e-324, -5e-324, 1e-300, -1e-300, 1e300, -1e300])


@cache
def landmarks(fmt):
    """Return the positive landmarks, float64, ascending; of 16-bit formats a part."""
    values = np.unique(np.abs(fmt.values[np.isfinite(fmt.values)]))
    if values.size > 1 << 9:
        few = np.random.default_rng(0).choice(values.size - 1, 300)
        ends = np.r_[0:32, values.size - 33 : values.size - 1]
        first = np.unique(np.concatenate([few, ends]))
        values = values[np.unique(np.concatenate([first, first + 1]))]
    last = values[-1] - values[-2]
    beyond = values[-1] + last * np.array([0.5, 1.0, 1.5])
    smallest = values[values > 0][0]
    below = smallest * np.array([0.25, 0.5, 0.75])
    middles = (values[1:] + values[:-1]) / 2
    points = np.concatenate([values, middles, beyond, below])
    return np.unique(points[points > 0])


def hard_float32(fmt, random_patterns=0, seed=0):
    """Return every landmark, two float32 neighbours on each side, and specials."""
    with np.errstate(over="ignore", under="ignore"):
        near = landmarks(fmt).astype(np.float32)
    steps = np.arange(-2, 3).astype(np.uint32)  # wraps around: two below, two above
    bits = np.add.outer(near.view(np.uint32), steps).ravel()
    signed = np.concatenate([bits, bits ^ np.uint32(1 << 31)])
    patterns = np.random.default_rng(seed).integers(
        1 << 32, size=random_patterns, dtype=np.uint32
    )
    values = [signed.view(np.float32), _SPECIAL_FLOAT32, patterns.view(np.float32)]
    return np.concatenate(values)


@cache
def hard_float64(fmt):
    """Return the float32 cases and what only float64 can say: traps of two roundings.

    A float64 within 2**-40 of a landmark rounds to it in float32, and then to the
    wrong side.
    """
    points = landmarks(fmt)
    near = [points * (1 + s) for s in (2.0**-40, -(2.0**-40), 2.0**-52, -(2.0**-53))]
    traps = np.concatenate(near)
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
        single = hard_float32(fmt).astype(np.float64)
    return np.concatenate([single, traps, -traps, _FLOAT64_ONLY])


def sample(values, size, seed):
    """Return the specials and a seeded sample of the rest: another for each seed."""
    rng = np.random.default_rng(seed)
    edges = np.argsort(np.abs(values))[[*range(12), *range(-12, 0)]]
    return values[np.concatenate([edges, rng.integers(values.size, size=size)])]


def by_definition(x, fmt, cast, random=None):
    """Return the codes that exact arithmetic gives, one value at a time."""
    words = np.zeros(len(x), int) if random is None else random
    with np.errstate(invalid="ignore"):
        wide = np.asarray(x).astype(np.float64)
    pairs = zip(wide.tolist(), words.tolist(), strict=True)
    codes = [exact.encode(value, fmt, cast, word) for value, word in pairs]
    return np.array(codes, fmt.dtype)


def assert_same_codes(got, want, x, note=""):
    """Assert equal codes; the message shows the first five that differ."""
    got, want, x = np.asarray(got), np.asarray(want), np.asarray(x)
    assert got.shape == want.shape == x.shape
    wrong = np.flatnonzero(got != want)
    lines = [
        f"{x[i]!r} ({x[i : i + 1].tobytes()[::-1].hex()}): {got[i]:#x}, not {want[i]:#x}"
        for i in wrong[:5]
    ]
    assert not lines, f"{note}: {wrong.size} of {x.size} differ\n" + "\n".join(lines)
