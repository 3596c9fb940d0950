"""Blocks on which quantisers go wrong, by the name of what they catch.

Each function returns float32 of shape (blocks, size).
"""

import numpy as np

TINY = np.float32(2.0**-149)
SPECIALS = np.array(
    [0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7FFFFFFF, 0xFFFFFFFF],
    np.uint32,
).view(np.float32)


def normal(rng, count, size):
    return rng.standard_normal((count, size)).astype(np.float32)


def heavy_tailed(rng, count, size):
    """Student's t of two degrees of freedom, at block scales from 2^-30 to 2^30."""
    values = rng.standard_t(2, (count, size))
    return np.ldexp(values, rng.integers(-30, 31, (count, 1))).astype(np.float32)


def any_bits(rng, count, size):
    """Random bit patterns without NaN or infinity: every exponent is as frequent."""
    bits = rng.integers(1 << 32, size=(count, size), dtype=np.uint32)
    bits[(bits & 0x7F800000) == 0x7F800000] &= np.uint32(0x80FFFFFF)
    return bits.view(np.float32)


def one_binade(rng, count, size):
    """Blocks whose values share an exponent, any of float32's."""
    exponent = rng.integers(0, 255, (count, 1), dtype=np.uint32)
    rest = rng.integers(1 << 32, size=(count, size), dtype=np.uint32) & 0x807FFFFF
    return (rest | exponent << np.uint32(23)).view(np.float32)


def ties(rng, count, size):
    """Halves of quarters times powers of two: many midpoints after scaling."""
    steps = rng.integers(-28, 29, (count, size)) / 4
    steps[:, 0] = rng.choice([6.0, 4.0, 7.0, 7.5, 448.0], count)
    return np.ldexp(steps, rng.integers(-20, 20, (count, 1))).astype(np.float32)


def outlier(rng, count, size):
    """One value 2^20 times the others."""
    values = normal(rng, count, size)
    values[np.arange(count), rng.integers(size, size=count)] *= np.float32(2.0**20)
    return values


def zeros(rng, count, size):
    """Zeros of both signs, and in some blocks one tiny value."""
    values = np.copysign(np.float32(0), normal(rng, count, size))
    values[: count // 2, 0] = TINY * rng.integers(4, size=count // 2)
    return values


def subnormals(rng, count, size):
    bits = rng.integers(1 << 32, size=(count, size), dtype=np.uint32)
    return (bits & np.uint32(0x807FFFFF)).view(np.float32)


def ends(rng, count, size):
    """Blocks at either end of the range, where scales under- and overflow."""
    values = rng.uniform(-1, 1, (count, size))
    exponents = rng.choice([-149, -140, -130, -126, 126, 127, 128], (count, 1))
    values = np.ldexp(values, exponents)
    return values.clip(-3.4e38, 3.4e38).astype(np.float32)


def specials(rng, count, size):
    """A NaN or an infinity, or both, in a block of normals."""
    values = normal(rng, count, size)
    for _ in range(2):
        place = rng.integers(size, size=count)
        values[np.arange(count), place] = rng.choice(SPECIALS, count)
    return values


def near_ties(rng, count, amax, size=16):
    """NVFP4 blocks of a tensor of that amax, at most 3 ulps from both kinds of tie.

    The largest value is next to what rounds to a midpoint of two E4M3 scales, and the
    others to what either scale maps to a midpoint of E2M1: there the order of the
    operations shows.
    """
    scales = np.array([(8 + i % 8) * 2.0 ** (i // 8 - 9) for i in range(8, 119)])
    which = rng.integers(scales.size - 1, size=count)
    tie = (scales[which] + scales[which + 1]) / 2
    middles = rng.choice([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5], (count, size))
    values = middles * scales[which + rng.integers(2, size=count)][:, None]
    values *= float(amax) / 2688 * rng.choice([-1, 1], (count, size))
    values = np.where(np.abs(values) < 6 * tie[:, None] * amax / 2688, values, 0)
    values[:, 0] = 6 * tie * float(amax) / 2688
    bits = values.astype(np.float32).view(np.int32)
    bits = np.where(values == 0, 3, bits)  # no step below zero
    steps = rng.integers(-3, 4, (count, size))
    return (bits + steps).astype(np.int32).view(np.float32)


FINITE = [
    normal,
    heavy_tailed,
    any_bits,
    one_binade,
    ties,
    outlier,
    zeros,
    subnormals,
    ends,
]
ALL = [*FINITE, specials]


def blocks(kinds, count, size, seed=0):
    """Return `count` blocks of each kind, one after the other."""
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.concatenate([kind(rng, count, size) for kind in kinds])


def bits(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32)


def assert_same(got, want, what, x=None):
    """Assert equal arrays; the message shows the first three that differ."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shapes {got.shape} and {want.shape}"
    wrong = np.argwhere(got != want)
    lines = []
    for index in map(tuple, wrong[:3].tolist()):
        lines.append(f"{index}: {got[index]}, not {want[index]}")
        if x is not None and x.shape == got.shape:
            with np.errstate(invalid="ignore"):
                amax = np.abs(x[index[0]]).max()
            lines[-1] += f" of {x[index]!r} in a block up to {amax!r}"
    assert not lines, f"{what}: {len(wrong)} of {got.size} differ\n" + "\n".join(lines)
