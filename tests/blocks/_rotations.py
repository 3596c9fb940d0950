"""Hadamard rotations by definition, in integers and Fractions, and their inputs."""

from fractions import Fraction
from math import inf, isqrt

import numpy as np

SIZES = [2**k for k in range(1, 11)]
ONES = 0x3F800000


def bits(x):
    return np.ascontiguousarray(x).view(np.uint32)


def sign(row, column):
    """The definition of the matrix, for one element."""
    return -1 if (row & column).bit_count() % 2 else 1


def not_above(value, total, size):
    """Whether value <= total / sqrt(size), by squares alone."""
    negative, square = total < 0, total * total
    if (value < 0) != negative:
        return value < 0 or (value == 0 and not negative)
    return (value * value * size <= square) != negative or value**2 * size == square


def float32_of_root(total, size):
    """The float32 nearest total / sqrt(size), found by bisection over codes."""
    if total == 0:
        return 0.0
    if total < 0:
        return -float32_of_root(-total, size)
    low, high = 0, 0x7F800000  # code(low) <= the root; code(high) counts as 2^128

    def value(code):
        return Fraction(2) ** 128 if code == 0x7F800000 else Fraction(float32(code))

    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if not_above(value(middle), total, size) else (low, middle)
        )
    if not not_above(value(high), total, size):
        half = (value(low) + value(high)) / 2
        exactly = half * half * size == total * total
        above = not_above(half, total, size) and not exactly
        return float32(high if above or (exactly and low % 2) else low)
    return inf


def float32(code):
    return float(np.uint32(code).view(np.float32))


def by_definition(x, size, signs=None, signs_first=True):
    """Rotate a vector of `size` elements, finite ones."""
    d = [1] * size if signs is None else [int(s) for s in signs]
    terms = [Fraction(float(v)) for v in x]
    if signs_first:
        terms = [v * s for v, s in zip(terms, d, strict=True)]
    out = []
    for column in range(size):
        total = sum(v * sign(row, column) for row, v in enumerate(terms))
        out.append(float32_of_root(total if signs_first else total * d[column], size))
    return np.array(out, np.float32)


def butterflies_by_definition(x, size):
    """Each float32 operation by itself, ascending stride."""
    x, stride = [np.float32(v) for v in x], 1
    while stride < size:
        for i in range(size):
            if not i & stride:
                x[i], x[i + stride] = x[i] + x[i + stride], x[i] - x[i + stride]
        stride *= 2
    return np.array([v * np.float32(size**-0.5) for v in x], np.float32)


def sequential_by_definition(x, size):
    """Each float32 operation by itself: 32 terms in index order, then butterflies."""
    inner = min(size, 32)
    x, sums = [np.float32(v) for v in x], []
    for start in range(0, size, inner):
        for column in range(inner):
            total = np.float32(0)
            for row in range(inner):
                total = total + np.float32(sign(row, column)) * x[start + row]
            sums.append(total)
    while inner < size:
        for i in range(size):
            if not i & inner:
                pair = sums[i], sums[i + inner]
                sums[i], sums[i + inner] = pair[0] + pair[1], pair[0] - pair[1]
        inner *= 2
    return np.array([v * np.float32(size**-0.5) for v in sums], np.float32)


def normals(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def wild(size, seed, spread):
    """Floats of exponents all over a range of `spread` bits."""
    rng = np.random.default_rng(seed)
    x = np.ldexp(rng.standard_normal(size), rng.integers(-spread, 1, size))
    return np.where(rng.random(size) < 0.1, 0, x).astype(np.float32)


def isqrt_sticky(square):
    root = isqrt(int(square))
    return 4 * root + (root * root != square)
