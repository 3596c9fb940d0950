"""Published errors of Gaussian data, measured again.

Sources: the table of Quartet II (arXiv 2601.22813, its error notebook; relative squared
error in thousandths, effective bits), and the range of encode scales (arXiv 2509.17791
states the rule; the spread of block magnitudes shows what follows from it).
"""

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.metrics import effective_bits, misalignment, relative_mse

PHASES = 16  # between one power of two and the next


def gaussian(columns=1 << 11, rows=1 << 11, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns), np.float32)


def plain(fmt):
    def approximate(x, rng):
        return rn.dequantize(rn.quantize(x, fmt))

    return approximate


def stochastic(fmt):
    def approximate(x, rng):
        top = 1 << fmt.element_cast.random_bits
        random = rng.integers(top, size=x.shape, dtype=np.uint32)
        return rn.dequantize(rn.quantize(x, fmt, random=random))

    return approximate


def eden(fmt):
    """Rotated by random signs before, and back after."""

    def approximate(x, rng):
        signs = rng.choice([-1, 1], 128).astype(np.int8)
        rotated = rn.hadamard(x, 128, signs=signs)
        shape = (len(x), x.shape[1] // fmt.block)
        random = rng.integers(1 << 24, size=shape, dtype=np.uint32)
        q = blocks.eden(rotated, fmt, random=random)
        return rn.hadamard(rn.dequantize(q), 128, signs=signs, inverse=True)

    return approximate


# name: (quantiser, published error, measured elsewhere, published effective bits)
QUARTET_II = {
    "NVFP4 1x16": (plain(rn.NVFP4), 9.0, 9.04, 3.394),
    "NVFP4 1x16, four over six": (plain(blocks.NVFP4_FOUR_OVER_SIX), 7.6, 7.56, 3.524),
    "NVFP4 16x16": (plain(blocks.NVFP4_16X16), 12.4, 12.40, 3.167),
    "NVFP4 16x16, four over six": (
        plain(blocks.NVFP4_FOUR_OVER_SIX_16X16),
        12.4,
        12.38,
        3.168,
    ),
    "NVFP4 stochastic, 17/16": (stochastic(blocks.NVFP4_SR), 23.5, 23.54, 2.71),
    "MS-EDEN": (eden(blocks.NVFP4_EDEN), 9.8, 9.72, 3.34),
    "EDEN, powers of two": (eden(blocks.MXFP4_EDEN), None, None, 2.627),
}
OTHERS = {
    "NVFP4, IF4": (plain(blocks.NVFP4_IF4), 6.16),
    "NVFP4, E1M2": (plain(blocks.NVFP4_E1M2), 7.45),
}
MX_RULES = {
    "FLOOR": (blocks.FLOOR, 13.4),
    "CEIL": (blocks.CEIL, 19.9),
    "RCEIL": (blocks.RCEIL, 13.7),
    "EVEN": (blocks.EVEN, 12.6),
}


@pytest.fixture
def show(capsys):
    """Print past pytest's capture."""

    def line(text):
        with capsys.disabled():
            print(f"\n  {text}", end="")  # noqa: T201

    return line


@pytest.mark.statistics
@pytest.mark.parametrize("name", QUARTET_II)
def test_quartet_ii(name, show):
    approximate, published, measured, bits = QUARTET_II[name]
    x = gaussian()
    y = approximate(x, np.random.default_rng(1))
    error, effective = 1e3 * relative_mse(x, y), effective_bits(x, y)
    show(
        f"{name}: error {error:.2f}e-3, published {published or '-'}, "
        f"effective bits {effective:.3f}, published {bits}, "
        f"misalignment {misalignment(x, y):.5f}"
    )
    assert effective == pytest.approx(bits, abs=0.01)
    if published is not None:
        assert error == pytest.approx(published, rel=0.01)
        assert error == pytest.approx(measured, rel=0.003)


@pytest.mark.statistics
@pytest.mark.parametrize("name", OTHERS)
def test_uniform_grids(name, show):
    approximate, published = OTHERS[name]
    x = gaussian()
    error = 1e3 * relative_mse(x, approximate(x, None))
    show(f"{name}: error {error:.2f}e-3, elsewhere {published}")
    assert error == pytest.approx(published, rel=0.003)


def phase_errors(rule, count):
    """Errors of MXFP4 at scales within one binade: what a single one shows misleads."""
    fmt = rn.BlockFormat(rn.E2M1, rn.UE8M0, 32, rule)
    x = gaussian(rows=count)
    found = []
    for phase in range(PHASES):
        moved = x * np.float32(2.0 ** (phase / PHASES))
        found.append(1e3 * relative_mse(moved, rn.dequantize(rn.quantize(moved, fmt))))
    return np.array(found)


@pytest.mark.statistics
@pytest.mark.parametrize("name", MX_RULES)
def test_mx_rules(name, show):
    rule, published = MX_RULES[name]
    error = phase_errors(rule, 1 << 10)
    show(
        f"MXFP4 {name}: error {error.mean():.2f}e-3 "
        f"({error.min():.1f} to {error.max():.1f}), elsewhere {published}"
    )
    assert error.mean() == pytest.approx(published, rel=0.01)


# Mean relative error of blocks, in thousandths.
RANGE = {
    "E4M3, encode": (blocks.NVFP4_ENCODE, 288),
    "UE5M3, encode": (blocks.UE5M3FP4_ENCODE, 9.1),
    "E4M3, decode (NVFP4)": (rn.NVFP4, 9.05),
}


def range_error(fmt, count, seed=0):
    """Gaussian blocks whose deviations are log-uniform over 2^0 to 2^12.

    The tensor's amax is five of the largest deviations, as it comes out of a million
    blocks: the error of the encode scale follows it, the others do not.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, 16)) * 2.0 ** rng.uniform(0, 12, (count, 1))
    x = x.astype(np.float32)
    y = rn.dequantize(rn.quantize(x, fmt, tensor_amax=5 * 4096.0), np.float64)
    error = ((x - y) ** 2).sum(axis=1) / (x.astype(np.float64) ** 2).sum(axis=1)
    return 1e3 * error.mean()


@pytest.mark.parametrize("name", RANGE)
def test_range_trap(name):
    """An encode scale in E4M3 runs out of range 75 times below the tensor's amax."""
    fmt, published = RANGE[name]
    assert range_error(fmt, 20_000) == pytest.approx(published, rel=0.02)


@pytest.mark.statistics
@pytest.mark.parametrize("name", RANGE)
def test_range_trap_closely(name, show):
    fmt, published = RANGE[name]
    error = range_error(fmt, 1_000_000)
    show(f"range, {name}: error {error:.2f}e-3, elsewhere {published}")
    assert error == pytest.approx(published, rel=0.01)


def test_saturated_encode_scales():
    """Every block 1/75 of the tensor's amax or less has the largest scale."""
    size = 4096.0 * 6 / 448
    x = np.array([[size * 0.99] * 16, [size * 1.2] * 16], np.float32)
    q = rn.quantize(x, blocks.NVFP4_ENCODE, tensor_amax=4096.0)
    assert q.scales[0, 0] == rn.UE4M3.max_code
    assert q.scales[1, 0] < rn.UE4M3.max_code
