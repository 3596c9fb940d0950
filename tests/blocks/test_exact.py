"""Both derivations give the same codes and values, for every preset."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.blocks import exact
from refnum.blocks.exact_orders import Single, round_float32

from ._inputs import ALL, assert_same, bits, near_ties

NAMED = [blocks.block_format(name) for name in blocks.names()]
PRESETS = [fmt for fmt in NAMED if isinstance(fmt, blocks.BlockFormat)]
COUNT = 12  # blocks of each kind


def size_of(fmt):
    if isinstance(fmt.block, str):
        return 32
    return fmt.block if isinstance(fmt.block, int) else fmt.block[0] * fmt.block[1]


def same_singles(got, want, what, x):
    """Any NaN equals any; the signs of zeros count."""
    nan = np.isnan(got) & np.isnan(want)
    assert_same(np.where(nan, 0, bits(got)), np.where(nan, 0, bits(want)), what, x)


def by_definition(x, fmt, amax, random):
    """Quantise and dequantise rows that are blocks, one by one."""
    codes, scales, values = [], [], []
    for i, row in enumerate(x.tolist()):
        own = None if amax is None else float(amax[i])
        words = None if random is None else random[i].tolist()
        found, scale = exact.quantize_block(row, fmt, own, words)
        codes.append(found)
        scales.append(scale)
        values.append(exact.dequantize_block(found, scale, fmt, own))
    with np.errstate(invalid="ignore"):
        return np.array(codes), np.array(scales), np.array(values, np.float32)


def compare(x, fmt, amax=None):
    """Compare the fast path with the definition on rows that are blocks."""
    random, shaped = None, x
    if isinstance(fmt.block, tuple):
        shaped = x.reshape(-1, fmt.block[1])
    if fmt.element_cast.random_bits:
        top = 1 << fmt.element_cast.random_bits
        random = np.random.default_rng(0).integers(top, size=x.shape, dtype=np.uint32)
    words = None if random is None else random.reshape(shaped.shape)
    given = None if amax is None else np.ravel(amax)[0]
    q = rn.quantize(shaped, fmt, random=words, tensor_amax=given)
    per_block = None
    if fmt.tensor_scale is not None:
        own = np.abs(x).max(axis=1) if fmt.tensor_scale.span != "tensor" else x.max()
        per_block = np.broadcast_to(own if amax is None else amax, len(x))
    codes, scales, values = by_definition(x, fmt, per_block, random)
    assert_same(q.scales.reshape(-1), scales, f"{fmt} scales", x)
    assert_same(q.codes.reshape(x.shape), codes, f"{fmt} codes", x)
    same_singles(rn.dequantize(q).reshape(x.shape), values, f"{fmt} values", x)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("fmt", PRESETS, ids=str)
def test_presets(fmt, kind):
    rng = np.random.default_rng(len(kind.__name__))
    with np.errstate(all="ignore"):
        x = kind(rng, COUNT if size_of(fmt) < 100 else 2, size_of(fmt))
    if fmt.block == "tensor":
        for row in x:
            compare(row[np.newaxis], fmt)
    elif fmt.tensor_scale is None:
        compare(x, fmt)
    elif isinstance(fmt.block, int):  # every row a tensor of its own
        alone = replace(fmt, tensor_scale=replace(fmt.tensor_scale, span="row"))
        compare(x, alone)
    for amax in (0.0, 1e-38, 3.0, 2.0**20, 3e38, np.inf):
        if fmt.tensor_scale is not None:
            compare(x[:2], fmt, np.full(1, amax, np.float32))


@pytest.mark.parametrize("fmt", PRESETS, ids=str)
def test_next_to_ties(fmt):
    if fmt.element.bits != 4 or fmt.block != 16:
        pytest.skip("these are ties of E2M1 in blocks of 16")
    rng = np.random.default_rng(5)
    for amax in rng.uniform(1, 2, 4).astype(np.float32):
        one_level = fmt.tensor_scale is None
        amax = np.float32(2688) if one_level else amax
        compare(near_ties(rng, 40, amax), fmt, None if one_level else amax)


def test_rules_of_other_elements():
    """What no preset combines: each rule with each element format."""
    rng = np.random.default_rng(1)
    for name in blocks.rule.__all__:
        rule = getattr(blocks, name)
        if not isinstance(rule, blocks.ScaleRule):
            continue
        for element in (rn.E2M1, rn.E2M3, rn.E3M2, rn.E4M3, rn.E5M2, rn.INT8):
            fmt = rn.BlockFormat(element, rn.UE8M0, 8, rule, name=f"{name}.{element}")
            with np.errstate(all="ignore"):
                x = np.concatenate([kind(rng, 4, 8) for kind in ALL])
            compare(x, fmt)


def test_float32_rounding_is_numpys():
    rng = np.random.default_rng(2)
    a, b = rng.integers(1 << 32, size=(2, 4000), dtype=np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        product, quotient = a * b, a / b
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    ours = np.array([(Single(x) * Single(y)).value for x, y in pairs], np.float32)
    same_singles(ours, product, "products", a)
    ours = np.array([(Single(x) / Single(y)).value for x, y in pairs], np.float32)
    same_singles(ours, quotient, "quotients", a)


@pytest.mark.parametrize(
    ("x", "rounded"),
    [
        (2.0**-150, 0.0),
        (2.0**-150 * 1.5, 2.0**-149),
        (1 + 2.0**-24, 1.0),
        (1 + 3 * 2.0**-24, 1 + 2.0**-22),
        (2.0**128 - 2.0**103, np.inf),
        (2.0**128 - 2.0**103 - 2.0**80, 2.0**128 - 2.0**104),
    ],
)
def test_float32_rounding_by_hand(x, rounded):
    assert round_float32(Fraction(x)) == rounded
    assert round_float32(-Fraction(x)) == -rounded


def test_unknown_arithmetic():
    odd = replace(blocks.arithmetic.DIVIDE, name="odd")
    fmt = replace(rn.MXFP4, rule=blocks.ScaleRule("odd", arithmetic=odd))
    with pytest.raises(ValueError, match="'odd' has no exact derivation"):
        exact.quantize_block([1.0], fmt)


def test_tensor_amax_is_needed():
    with pytest.raises(ValueError, match="nvfp4 has a tensor scale"):
        exact.dequantize_block([1], 1, rn.NVFP4)
