"""Stochastic roundings in the mean over all random words, computed exactly.

The mean of one element over its 2^N words does not depend on the other elements, so
every word is given to all of them in turn.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum import blocks, recipes
from refnum.nn.quantized.operands import take
from refnum.nn.quantized.rounding_words import Site
from refnum.recipes import Operand

BITS = 8
A = rn.Cast(rn.Rounding.STOCHASTIC_A, random_bits=BITS)
B = rn.Cast(rn.Rounding.STOCHASTIC_B, random_bits=BITS)


def means(x, fmt, axis=-1):
    """Return the exact mean of each element over all words, as fractions."""
    total = np.zeros(x.shape)
    for word in range(1 << BITS):
        random = np.full(x.shape, word, np.uint8)
        q = rn.quantize(x, fmt, axis=axis, random=random)
        total += rn.dequantize(q, np.float64)  # sums of few bits: exact
    return np.vectorize(lambda v: Fraction(v) / 2**BITS, otypes=[object])(total)


def lattice(step, rng, shape, top):
    """Return values on a lattice, with one of the largest magnitude in each row."""
    x = rng.integers(-top, top + 1, size=shape) * step
    x[:, 0] = top * step
    return x.astype(np.float32)


def fractions(x):
    return np.vectorize(Fraction, otypes=[object])(x.astype(np.float64))


def test_tseng_is_unbiased_on_its_lattice():
    """3/4 x under the floor rule stays within the grid; 256 words resolve 1/256 step."""
    operand = recipes.get("tseng").dgrad_dy
    fmt = replace(operand.block_format, element_cast=A)
    rng = np.random.default_rng(0)
    x = lattice(2.0**-5, rng, (8, 32), 250)  # up to 7.8: more than 6
    plain = replace(fmt, prescale=1.0)
    scaled = fractions(x) * Fraction(3, 4)
    total = np.zeros(x.shape)
    for word in range(1 << BITS):
        q = rn.quantize(x, fmt, random=np.full(x.shape, word, np.uint8))
        total += rn.dequantize(replace(q, format=plain), np.float64)
    found = fractions(total) / 2**BITS
    # Multiples of 3 2^-7: eight bits of the fraction, also where the step is 2.
    assert (found == scaled).all()
    assert abs(x).max() > 6


def test_without_three_quarters_the_largest_is_clipped():
    fmt = replace(rn.MXFP4, element_cast=A)
    x = lattice(2.0**-5, np.random.default_rng(0), (8, 32), 250)
    found = means(x, fmt)
    beyond = np.abs(x) > 6
    assert beyond.any()
    assert (found[~beyond] == fractions(x)[~beyond]).all()
    assert (abs(found[beyond]) < abs(fractions(x)[beyond])).all()


def test_seventeen_sixteenths_never_clips():
    """With a scale made for 6 * 16/17, a scale rounded down still reaches the largest."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(64, 64)).astype(np.float32)
    q = rn.quantize(x, blocks.NVFP4_SR, random=np.zeros(x.shape, np.uint16))
    scale = np.repeat(rn.decode(q.scales, rn.UE4M3, np.float64), 16, axis=1)
    scaled = np.abs(x) / (scale * np.float64(q.tensor_scale))
    assert scaled.max() <= 6
    assert scaled.max() > 5.9


@pytest.mark.parametrize(
    ("cast", "shift"), [(A, Fraction(0)), (B, Fraction(1, 2))], ids=["ptx", "midpoint"]
)
def test_eight_bits_between_lattice_points(cast, shift):
    """A rounds the fraction down to 1/256, B to the middle of its 256th."""
    x = np.zeros((1, 32), np.float32)
    rng = np.random.default_rng(2)
    fine = rng.integers(1, 1 << 11, size=31)  # 2048ths of the step from 0 to 1/2
    x[0, 0], x[0, 1:] = 4.0, fine / 4096
    found = means(x, replace(rn.MXFP4, element_cast=cast))[0, 1:]
    expected = [(Fraction(int(f) // 8) + shift * (int(f) % 8 >= 4)) for f in fine]
    if cast is B:  # up where floor(512 f) + 2 r + 1 >= 512
        expected = [Fraction((int(f) // 4 + 1) // 2) for f in fine]
    assert list(found) == [one / 512 for one in expected]


def test_midpoint_bits_have_no_mean_error():
    """Over fractions spread evenly, errors of B cancel; those of A do not.

    Fractions are the odd multiples of 1/1024 of a step, and a step is 1/2.
    """
    for cast, expected in ((A, Fraction(-1, 512)), (B, Fraction(0))):
        fine = (2 * np.arange(512) + 1).reshape(32, 16) / 2048
        x = np.full((32, 32), 4, np.float32)
        x[:, 16:] = fine
        found = means(x, replace(rn.MXFP4, element_cast=cast))[:, 16:]
        mean = (found - fractions(fine)).sum() / 512
        assert mean == expected / 2


def test_eden_over_scale_words():
    """The mean of a scale over its words is the corrected scale, to 2^-24 of a gap."""
    operand = recipes.get("quartet-ii-32").dgrad_dy
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1, 32)).astype(np.float32)
    draws = [0, (1 << 24) - 1]
    low, high = (
        rn.blocks.eden(
            x, operand.format, random=np.full((1, 2), draw, np.uint32), group=32
        )
        for draw in draws
    )
    assert np.array_equal(low.codes, high.codes)
    assert set((high.scales.astype(int) - low.scales).reshape(-1)) <= {0, 1}


def test_double_quantisation_is_unbiased_for_the_quantised_network():
    """TetraJet: the mean of dgrad's W over words is the forward W, not W."""
    rng = np.random.default_rng(4)
    w = lattice(2.0**-6, rng, (32, 32), 300)
    tetrajet = recipes.get("tetrajet")
    site = Site(0, 0, "fc")
    forward = take(w, "fprop_w", tetrajet.fprop_w, site)
    fmt = replace(tetrajet.dgrad_w.block_format, element_cast=A)
    found = means(forward.values, fmt, axis=0)
    assert (found == fractions(forward.values)).all()
    again = take(w, "dgrad_w", tetrajet.dgrad_w, site, forward=forward)
    assert np.array_equal(again.source, forward.values)


def test_a_word_for_each_element():
    """Elements of one operand see different words, and dgrad's dY others than wgrad's."""
    x = np.full((32, 32), 0.3, np.float32)
    x[:, 0] = x[0] = 4.0
    drawn = Operand("mxfp4", cast=B)
    one = take(x, "dgrad_dy", drawn, Site(0, 1, "fc")).values
    other = take(x, "wgrad_dy", drawn, Site(0, 1, "fc")).values
    assert 0.25 < one[1:, 1:].mean() < 0.35
    assert not np.array_equal(one, other)
