"""Scale rules against integer arithmetic on the bits of float32 magnitudes.

UE8M0's code is a float32's exponent field, so each rule has a form in integers that
knows no logarithm and no codec. `exponent` is that field, `fraction` the 23 bits behind.
"""

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.blocks.scale_table import scale_blocks
from refnum.blocks.scaling import block_statistic

from ._inputs import assert_same

ELEMENTS = [rn.E2M1, rn.E2M3, rn.E3M2, rn.E4M3, rn.E5M2]
INFINITY = 0x7F800000
TWO_BINADES = np.arange(0x3F800000, 0x40800000, dtype=np.uint32)  # 1 <= amax < 4
LOWEST_BINADES = np.arange(0, 0x01000000, dtype=np.uint32)  # subnormals, first binade


def every_power():
    """Each power of two and of three quarters of it, +-3 ulps; both ends; specials."""
    bits = np.arange(1, 255, dtype=np.int64)[:, None] << 23
    marks = [bits, bits | 0x400000, bits | 0x600000, bits | 0x680000]
    bits = np.concatenate([m + np.arange(-3, 4) for m in marks], axis=None)
    subnormal = (1 << np.arange(23))[:, None] + np.arange(-2, 3)
    ends = [*range(5), *range(0x7F7FFFF0, 0x7F800000), INFINITY, 0x7FC00000]
    every = np.concatenate([bits, subnormal.ravel(), ends])
    return every[every >= 0].astype(np.uint32)


def split(bits):
    return (bits >> np.uint32(23)).astype(np.int32), bits & np.uint32(0x7FFFFF)


def less_emax(exponent, element, bits):
    """Take the exponents less emax as codes; NaN and infinity have 255."""
    code = np.clip(exponent - element.emax, 0, 254)
    return np.where(bits >= INFINITY, 255, code)


def floor(bits, element):
    # A subnormal counts as field 0: it is below every scale but the smallest.
    return less_emax(split(bits)[0], element, bits)


def ceil(bits, element):
    exponent, fraction = split(bits)
    return less_emax(exponent + (fraction > 0), element, bits)


def even(bits, element):
    rounded = bits + np.uint32(1 << (22 - element.mantissa_bits))
    return less_emax(split(rounded)[0], element, bits)


def round_up(quotient):
    """Take the code of the power of two at or above a float32."""
    exponent, fraction = split(quotient)
    code = exponent + np.where(exponent > 0, fraction > 0, fraction > 0x400000)
    code = np.minimum(code, 254)  # infinity saturates
    return np.where(quotient > INFINITY, 255, code)


def quotient(bits, divisor):
    with np.errstate(all="ignore"):
        return (bits.view(np.float32) / np.float32(divisor)).view(np.uint32)


def rceil(bits, element):
    with np.errstate(all="ignore"):
        reciprocal = np.float32(1) / np.float32(element.max)
        return round_up((bits.view(np.float32) * reciprocal).view(np.uint32))


def rceil_divide(bits, element):
    return round_up(quotient(bits, element.max))


def uos(bits, element):
    code = round_up(quotient(bits, 7.25))
    return np.where(bits == 0, 128, np.where(code == 255, 255, np.maximum(code, 1)))


def deepgemm(bits, element):
    floored = np.maximum(bits, np.float32(1e-4).view(np.uint32))
    return rceil_divide(floored, element)


def truncated(bits, element):
    found = quotient(bits, element.max)
    return np.where(found >= INFINITY, 255, split(found)[0])


def nearest(bits, element):
    found = quotient(bits, element.max)
    exponent, fraction = split(found)
    # In the subnormals the neighbours are 2^-127 and 2^-126.
    up = np.where(exponent > 0, fraction >= 0x400000, fraction >= 0x600000)
    return np.where(found >= INFINITY, 255, np.minimum(exponent + up, 254))


RULES = {
    blocks.FLOOR: floor,
    blocks.CEIL: ceil,
    blocks.EVEN: even,
    blocks.RCEIL: rceil,
    blocks.RCEIL_DIVIDE: rceil_divide,
    blocks.TETRAJET: rceil_divide,
    blocks.UOS: uos,
    blocks.DEEPGEMM: deepgemm,
    blocks.TRUNCATED: truncated,
    blocks.NEAREST: nearest,
}
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def compare(bits, rule, element):
    fmt = rn.BlockFormat(element, rn.UE8M0, 32, rule)
    one = np.ones((), np.float32)
    amax = block_statistic(bits.view(np.float32).reshape(-1, 1), rule)
    codes = scale_blocks(amax, one, fmt).codes
    assert_same(codes, RULES[rule](bits, element), f"{rule.name} {element}")


@each_rule
@pytest.mark.parametrize("element", ELEMENTS, ids=str)
def test_every_power_of_two(rule, element):
    bits = every_power()
    compare(bits, rule, element)
    # And through the front door: the magnitude with either sign, anywhere in a block.
    x = np.zeros((bits.size, 5), np.float32)
    place = np.arange(bits.size) % 5
    x[np.arange(bits.size), place] = bits.view(np.float32)
    x[::2] *= -1
    fmt = rn.BlockFormat(element, rn.UE8M0, 5, rule)
    codes = rn.quantize(x, fmt).scales.reshape(-1)
    assert_same(codes, RULES[rule](bits, element), f"{rule.name} {element}")


@each_rule
def test_two_binades(rule):
    """A sample; the exhaustive test takes every value."""
    compare(TWO_BINADES[::61], rule, rn.E2M1)
    compare(LOWEST_BINADES[::61], rule, rn.E2M1)


@pytest.mark.thorough
@each_rule
@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize("start", [0, 0x00800000, 0x3F800000, 0x7E800000])
def test_every_value_of_two_binades(rule, element, start):
    compare(np.arange(start, start + (1 << 24), dtype=np.uint32), rule, element)


def test_elements_after_the_rule():
    """What the rules promise of the largest element."""
    rng = np.random.default_rng(0)
    x = np.ldexp(rng.uniform(1, 2, (4000, 1)), rng.integers(-60, 60, (4000, 1)))
    x = x.astype(np.float32)
    largest = {}
    for rule in RULES:
        q = rn.quantize(x, rn.BlockFormat(rn.E2M1, rn.UE8M0, 1, rule))
        scaled = x / np.ldexp(1.0, q.scales.astype(np.int32) - 127)
        largest[rule.name] = scaled.min(), scaled.max()
    assert largest["floor"][0] >= 4
    assert 7.9 < largest["floor"][1] < 8
    assert largest["ceil"][0] > 2
    assert largest["ceil"][1] <= 4
    assert 6.9 < largest["even"][1] < 7
    for name in ("rceil", "rceil_divide", "tetrajet"):
        assert largest[name][0] >= 3
        assert 5.9 < largest[name][1] <= 6.000001
    assert 7.2 < largest["uos"][1] <= 7.250001
    assert 11.9 < largest["truncated"][1] < 12.000001


@pytest.mark.parametrize(
    ("rule", "zero", "infinity"),
    [
        (blocks.FLOOR, 0, 255),
        (blocks.CEIL, 0, 255),
        (blocks.EVEN, 0, 255),
        (blocks.RCEIL, 0, 254),
        (blocks.UOS, 128, 254),
        (blocks.DEEPGEMM, 105, 254),
        (blocks.QUEST, 0, 255),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_zero_infinity_nan(rule, zero, infinity):
    fmt = rn.BlockFormat(rn.E4M3, rn.UE8M0, 2, rule)
    x = np.array([[0, -0.0], [1, -np.inf], [np.nan, 1], [np.inf, np.nan]], np.float32)
    assert rn.quantize(x, fmt).scales[:, 0].tolist() == [zero, infinity, 255, 255]


@pytest.mark.parametrize("largest", [1.0, 1e-4, 1e-7, 1e-30, 1e-38])
@pytest.mark.parametrize("fmt", [blocks.NVFP4_ENCODE, blocks.UE5M3FP4_ENCODE], ids=str)
def test_a_stored_scale_that_divides_is_never_zero(fmt, largest):
    """A block of zeros beside a tiny tensor scale."""
    x = np.zeros((2, 16), np.float32)
    x[1] = largest
    values = rn.dequantize(rn.quantize(x, fmt))
    assert (values[0] == 0).all()
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", sorted(set(blocks.names()) - {"nvfp4_torchao"}))
def test_zeros_stay_zeros(name):
    """torchao divides by a tensor scale of zero, and so does its preset."""
    fmt = blocks.block_format(name)
    x = np.zeros((32, 32), np.float32)
    bits = fmt.stored.element_cast.random_bits
    random = None if bits is None else np.zeros(x.shape, np.uint32)
    assert (rn.dequantize(rn.quantize(x, fmt, random=random)) == 0).all()
