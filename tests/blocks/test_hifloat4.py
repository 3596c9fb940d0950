"""HiFloat4: its word, its values, and its rule by fractions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum import blocks

from ._inputs import FINITE, assert_same, bits, normal
from ._scalar import F

COUNT = 8  # blocks of each kind


def round_significand(x, bits):
    """To that many significant bits, ties to even; no exponent is too large or small."""
    if x == 0:
        return x
    spacing = Fraction(1)
    while x >= 2 * spacing:
        spacing *= 2
    while x < spacing:
        spacing /= 2
    spacing /= 2 ** (bits - 1)
    return round(x / spacing) * spacing


def bf16(x):
    return round_significand(x, 8)


def group_scale(amax):
    """E6M2: BF16 of amax / 7, clamped, to three significant bits."""
    sf = bf16(amax * bf16(Fraction(1, 7)))
    sf = min(max(sf, Fraction(1, 2**48)), Fraction(49152))
    return min(round_significand(sf, 3), Fraction(49152))


def definition(block):
    """The scale, the bits of both levels, and sign and magnitude of every element."""
    x = [Fraction(float(v)) for v in block]
    size = [abs(v) for v in x]
    scale = group_scale(max(size))
    inverse = bf16(1 / scale)
    eights = [int(max(size[8 * j : 8 * j + 8]) * inverse >= 4) for j in range(8)]
    fours = [
        int(max(size[4 * j : 4 * j + 4]) * inverse / 2 ** eights[j // 2] >= 2)
        for j in range(16)
    ]
    elements = []
    for i, v in enumerate(size):
        power = eights[i // 8] + fours[i // 4]
        k = (v * inverse / 2**power * 4 + Fraction(1, 2)).__floor__()
        elements.append((x[i] < 0, min(k, 7), power))
    return scale, eights, fours, elements


def word(scale, eights, fours):
    exponent = 0
    while Fraction(2) ** (exponent + 1) <= scale * 2**48:
        exponent += 1
    mantissa = scale * 2**48 / 2**exponent * 4 - 4
    code = 4 * exponent + int(mantissa)
    return (
        code
        + sum(bit << (8 + j) for j, bit in enumerate(eights))
        + sum(bit << (16 + j) for j, bit in enumerate(fours))
    )


@pytest.mark.parametrize("kind", FINITE, ids=lambda kind: kind.__name__)
def test_definition(kind):
    with np.errstate(all="ignore"):
        x = kind(np.random.default_rng(1), COUNT, 64)
    x[0, :4] = 0.0, -0.0, 2.0**-140, -(2.0**-140)
    q = rn.quantize(x, blocks.HIFLOAT4)
    values = rn.dequantize(q)
    assert q.scales.dtype == np.uint32
    for i, row in enumerate(x):
        scale, eights, fours, elements = definition(row)
        assert q.scales[i, 0] == word(scale, eights, fours)
        codes = [8 * sign + k for sign, k, _ in elements]
        assert_same(q.codes[i], codes, "codes", x)
        want = [
            float(scale * k * 2**power / 4) * (-1.0 if sign else 1.0)
            for sign, k, power in elements
        ]
        assert_same(bits(values[i]), bits(np.array(want)), "values", x)


def amaxes_near_ties():
    """Magnitudes whose BF16 quotient is next to a midpoint of E6M2."""
    for code in range(0, 254, 7):
        low, high = rn.E6M2.values[[code, code + 1]]
        middle = F((low + high) / 2 * 7)
        for ulps in range(-3, 4):
            yield (middle.view(np.int32) + np.int32(ulps)).view(F)
            yield middle * F(1 + ulps / 256)


def test_scales_next_to_ties():
    amaxes = np.array(list(amaxes_near_ties()), F)
    x = np.zeros((amaxes.size, 64), F)
    x[:, 5] = -amaxes
    q = rn.quantize(x, blocks.HIFLOAT4)
    for amax, found in zip(amaxes, q.scales[:, 0], strict=True):
        want = group_scale(Fraction(float(amax)))
        assert rn.E6M2.values[found & 0xFF] == float(want)


def test_elements_next_to_ties():
    """Halves of quarters go away from zero, one ulp less does not."""
    x = np.zeros((1, 64), F)
    x[0, 0] = 7.0  # a scale of 1
    x[0, 32:40] = np.array([1, -1, 3, -3, 5, 7, 9, 13]) / 8
    x[0, 40:48] = np.nextafter(x[0, 32:40], F(0))
    q = rn.quantize(x, blocks.HIFLOAT4)
    assert q.codes[0, 32:40].tolist() == [1, 9, 2, 10, 3, 4, 5, 7]
    assert q.codes[0, 40:48].tolist() == [0, 8, 1, 9, 2, 3, 4, 6]


def test_the_word():
    """One by one: the scale's byte, then eight bits, then sixteen."""
    code = int(rn.encode(1.0, rn.E6M2))
    assert code == 48 * 4
    for group in range(16):
        x = np.zeros(64, F)
        x[4 * group] = 7.0
        q = rn.quantize(x, blocks.HIFLOAT4)
        assert q.scales.item() == code | 1 << (8 + group // 2) | 1 << (16 + group)
        assert q.codes[4 * group] == 7
    x = np.full(64, 1.75)
    x[63] = 7.0
    q = rn.quantize(x, blocks.HIFLOAT4)
    assert q.scales.item() == code | 1 << 15 | 1 << 31
    x = np.full(64, 1.75)
    x[60], x[0] = 7.0, 3.5  # twos in fours, without the bit of their eight
    q = rn.quantize(x, blocks.HIFLOAT4)
    assert q.scales.item() == code | 1 << 15 | 1 << 31 | 1 << 16


@pytest.mark.parametrize(
    ("mantissa", "seven_bits"), [(1.0, 0), (1.25, 77), (1.5, 43), (1.75, 18)]
)
def test_reciprocals_are_those_of_the_table(mantissa, seven_bits):
    """BF16 of 1 / scale, as the fraction bits that the hardware's table holds."""
    for exponent in (-48, -1, 0, 14):
        factor = blocks.hifloat4.HIFLOAT4_ORDER.factor(
            np.array([mantissa * 2.0**exponent], F), np.ones((), F), np.ones(1, F)
        )
        below = mantissa != 1
        want = (1 + seven_bits / 128) * 2.0 ** (-exponent - below)
        assert factor.item() == want


def test_specials():
    x = np.ones((5, 64), F)
    x[0] = 0
    x[1, 3] = np.nan
    x[2, 3] = -np.inf
    x[3] = 3e38
    x[4] = -np.nan
    q = rn.quantize(x, blocks.HIFLOAT4)
    values = rn.dequantize(q)
    assert q.scales[0, 0] == 0
    assert not q.codes[0].any()
    assert np.isnan(values[[1, 4]]).all()
    assert q.scales[1, 0] == 0xFF
    assert values[2, 3] == -7 * 49152.0
    assert np.all(values[3] == 7 * 49152.0)


def test_shapes_and_axes():
    x = normal(np.random.default_rng(2), 70, 100)
    q = rn.quantize(x, blocks.HIFLOAT4)
    assert q.scales.shape == (70, 2)
    padded = np.zeros((70, 128), F)
    padded[:, :100] = x
    full = rn.quantize(padded, blocks.HIFLOAT4)
    assert_same(q.codes, full.codes[:, :100], "codes")
    assert_same(q.scales, full.scales, "scales")
    across = rn.quantize(np.asfortranarray(x.T), blocks.HIFLOAT4, axis=0)
    assert_same(across.scales.T, q.scales, "scales")
    assert_same(rn.dequantize(across).T, rn.dequantize(q), "values")
    assert rn.quantize(np.zeros((0, 64)), blocks.HIFLOAT4).scales.shape == (0, 1)
    wide = rn.dequantize(q, np.float64)
    assert_same(wide, rn.dequantize(q).astype(np.float64), "float64 values")


def test_every_word_decodes():
    rng = np.random.default_rng(3)
    codes = rng.integers(16, size=(300, 64), dtype=np.uint8)
    words = rng.integers(1 << 32, size=(300, 1), dtype=np.uint32)
    words[words & 0xFF == 0xFF] -= 1
    q = rn.Quantized(codes, words, None, blocks.HIFLOAT4, -1)
    want = np.empty((300, 64))
    for i, w in enumerate(words[:, 0].tolist()):
        for k in range(64):
            power = (w >> (8 + k // 8) & 1) + (w >> (16 + k // 4) & 1)
            value = rn.E6M2.values[w & 0xFF] * 2.0**power
            want[i, k] = value * rn.E1M2.values[codes[i, k]]
    assert_same(bits(rn.dequantize(q)), bits(want), "values")


def test_bad_input():
    with pytest.raises(ValueError, match="hifloat4 has no tensor scale"):
        rn.quantize(np.ones(64), blocks.HIFLOAT4, tensor_amax=1.0)
    with pytest.raises(ValueError, match="random"):
        rn.quantize(np.ones(64), blocks.HIFLOAT4, random=np.zeros(64, np.uint8))
    for levels in ((8, 3), (7,), (128,), (8, 0), (4, 8), (8, 4.0)):
        with pytest.raises(ValueError, match="levels are"):
            replace(blocks.HIFLOAT4, levels=levels)
    with pytest.raises(ValueError, match="levels are"):
        replace(blocks.HIFLOAT4, block=(8, 8))
    with pytest.raises(ValueError, match="do not fit a word"):
        replace(blocks.HIFLOAT4, levels=(8, 4, 2))


def test_bits_a_value():
    assert blocks.HIFLOAT4.scale_bits == 32
    assert "bits a value: 4.5" in blocks.describe(blocks.HIFLOAT4)
    assert "levels: one-bit exponents of 8, of 4" in blocks.describe(blocks.HIFLOAT4)
