"""torchao 0.18, live: bit equality but for the differences whose causes are stated.

A cause is a set of blocks and what torchao makes of them. Outside these sets its codes
are refnum's; inside, they are what the cause predicts.
"""

import numpy as np
import pytest

import refnum as rn
from refnum import blocks, casts
from refnum.blocks import CEIL, EVEN, FLOOR, RCEIL_DIVIDE

from ._inputs import FINITE, assert_same, near_ties
from ._live import amax_of, batches, scales

pytestmark = pytest.mark.filterwarnings("ignore")  # torchao's and torch's own
torch = pytest.importorskip("torch")

RULES = {"floor": FLOOR, "ceil": CEIL, "even": EVEN, "rceil": RCEIL_DIVIDE}
ELEMENTS = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")


def as_number(x):
    """Return what torchao's FP4 and FP6 make of a NaN: 1 and its fraction, signed."""
    quiet = x.view(np.uint32) | np.uint32(0x00400000)
    one = quiet & np.uint32(0x807FFFFF) | np.uint32(0x3F800000)
    return np.where(np.isnan(x), one.view(np.float32), x)


def cast_of(element):
    """NaN becomes 1.5, as the usual NaN does, or the format's NaN with its sign."""
    if element.bits < 8:
        return casts.TORCHAO
    return rn.Cast(nan_sign=True)


def torchao_mx(x, element, mode):
    """Return torchao's element codes, scale codes."""
    mx = pytest.importorskip("torchao.prototype.mx_formats.mx_tensor")
    config = pytest.importorskip("torchao.prototype.mx_formats.config")
    types = {
        "e2m1": torch.float4_e2m1fn_x2,
        "e2m3": mx.DTYPE_FP6_E2M3,
        "e3m2": mx.DTYPE_FP6_E3M2,
        "e4m3": torch.float8_e4m3fn,
        "e5m2": torch.float8_e5m2,
    }
    mode = getattr(config.ScaleCalculationMode, mode.upper())
    scale, data = mx.to_mx(torch.from_numpy(x), types[element.name], 32, mode)
    codes = data.view(torch.uint8).numpy()
    if element.bits == 4:
        codes = np.stack([codes & 15, codes >> 4], axis=-1).reshape(x.shape)
    return codes.reshape(x.shape), scale.view(torch.uint8).numpy().reshape(-1)


def expected_mx(x, fmt, mode):
    """Return refnum's codes and scales with torchao's differences applied."""
    q = rn.quantize(x, fmt)
    codes, scales, amax = q.codes.copy(), q.scales.reshape(-1).copy(), amax_of(x)
    nan = np.isnan(x)

    def instead(where, factor):
        with np.errstate(all="ignore"):
            y = (x[where] * np.float32(factor)).astype(np.float32)
        codes[where] = rn.encode(y, fmt.element, fmt.element_cast)

    if mode == "rceil":
        # ceil(log2(quotient)) in float32 misses powers of two by a few ulps.
        with np.errstate(all="ignore"):
            quotient = torch.from_numpy(amax) / fmt.element.max
            exponent = torch.ceil(torch.log2(quotient)).numpy()
        # Measured: only just above a power of two, where the logarithm rounds to it.
        wrong = np.isfinite(exponent) & (np.clip(exponent + 127, 0, 254) != scales)
        mantissa = quotient.numpy().view(np.uint32) & 0x7FFFFF
        assert not np.any(wrong & (mantissa > 64) & (quotient.numpy() > 2.0**-126))
        scales[wrong] = np.clip(exponent[wrong] + 127, 0, 254).astype(np.uint8)
        for code in np.unique(scales[wrong]):
            instead(wrong & (scales == code), 2.0 ** (127 - int(code)))
        instead(scales == 0, 1.0)  # scale code 0 is applied as 1
        return with_numbers(codes, nan, x, fmt), scales
    instead(scales == 0, 2.0**126)  # scale code 0 is applied as 2^-126
    # The exponent field of infinity counts as an exponent of 128.
    infinite = np.isinf(amax)
    scales[infinite] = 255 - fmt.element.emax
    instead(infinite, 2.0 ** (fmt.element.emax - 128))
    # A scale of NaN is applied as the float32 of exponent field 255, infinity.
    instead(np.isnan(amax), 0.0)
    return with_numbers(codes, nan, x, fmt), scales


def same_codes(codes, want, nan_scales, element, x):
    """Assert equal codes, but for those that stand under a scale of NaN.

    Their values are NaN whatever they are. The product of two NaNs is the one that
    the processor chooses: its sign stays open, and torchao's FP4 and FP6 make numbers
    of it.
    """
    assert_same(codes[~nan_scales], want[~nan_scales], "codes", x[~nan_scales])
    rest = codes[nan_scales] & element.magnitude_mask
    if element.bits == 8:
        assert_same(rest, want[nan_scales] & 0x7F, "codes under NaN")
    else:
        numbers = rn.decode(rest, element)
        assert np.all((numbers == 0) | (numbers >= 1) & (numbers <= 2))


def with_numbers(codes, nan, x, fmt):
    """Apply `as_number` to the codes of NaNs."""
    if fmt.element.bits < 8:
        codes[nan] = rn.encode(as_number(x[nan]), fmt.element)
    return codes


@scales
@pytest.mark.parametrize("mode", RULES)
@pytest.mark.parametrize("element", ELEMENTS)
def test_mx(element, mode, count):
    element = rn.format(element)
    fmt = rn.BlockFormat(
        element, rn.UE8M0, 32, RULES[mode], element_cast=cast_of(element)
    )
    for x in batches(count, 32):
        codes, scale_codes = torchao_mx(x, element, mode)
        want, want_scales = expected_mx(x, fmt, mode)
        assert_same(scale_codes, want_scales, "scales", x)
        same_codes(codes, want, want_scales == 255, element, x)


def test_rceil_takes_a_logarithm():
    """Just above a power of two its float32 logarithm is that of the power itself."""
    power = 6 * np.ldexp(1.0, np.arange(-100, 120))[:, None]
    x = np.zeros((power.size * 8, 32), np.float32)
    x[:, 0] = (power * (1 + np.arange(8) * 2.0**-22)).reshape(-1)
    x[:, 1] = x[:, 0] / 7
    fmt = rn.BlockFormat(rn.E2M1, rn.UE8M0, 32, RCEIL_DIVIDE, casts.TORCHAO)
    codes, scale_codes = torchao_mx(x, rn.E2M1, "rceil")
    want, want_scales = expected_mx(x, fmt, "rceil")
    assert_same(scale_codes, want_scales, "scales", x)
    assert_same(codes, want, "codes", x)
    differing = scale_codes != rn.quantize(x, fmt).scales.reshape(-1)
    assert not differing.reshape(-1, 8)[:, 0].any()
    assert 0.2 < differing.mean() < 0.8


def torchao_nvfp4(x, amax):
    nvfp4 = pytest.importorskip("torchao.prototype.mx_formats.nvfp4_tensor")
    scale = None
    if amax is not None:
        scale = nvfp4.per_tensor_amax_to_scale(torch.tensor(amax))
    scales, data = nvfp4.nvfp4_quantize(torch.from_numpy(x), 16, scale)
    codes = data.view(torch.uint8).numpy()
    codes = np.stack([codes & 15, codes >> 4], axis=-1)
    scales = scales.view(torch.uint8).numpy()
    return codes.reshape(x.shape), scales.reshape(-1)


@scales
@pytest.mark.parametrize("two_levels", [False, True])
def test_nvfp4(two_levels, count):
    fmt = blocks.NVFP4_TORCHAO if two_levels else blocks.NVFP4_TORCHAO_ONE_LEVEL
    for x in batches(count, 16):
        choices = [None]
        if two_levels:
            choices = np.float32([1.0, 3e5, 2.0**100, 3e38, 1e-20])
        for amax in choices:
            codes, scale_codes = torchao_nvfp4(x, amax)
            q = rn.quantize(x, fmt, tensor_amax=amax)
            # A scale that is NaN keeps its sign in torchao's signed bytes.
            assert_same(scale_codes & 0x7F, q.scales.reshape(-1), "scales", x)
            assert np.all(scale_codes[scale_codes > 0x7F] == 0xFF)
            want = with_numbers(q.codes.copy(), np.isnan(x), x, fmt)
            same_codes(codes, want, scale_codes & 0x7F == 0x7F, fmt.element, x)


def test_nvfp4_own_amax():
    """The tensor scale from the tensor itself, and its two ends."""
    for kind in FINITE:
        (x,) = batches(500, 16, [kind])
        for tensor in (x, x[:1] * 0):
            amax = np.abs(tensor).max()
            codes, scale_codes = torchao_nvfp4(tensor, amax)
            q = rn.quantize(tensor, blocks.NVFP4_TORCHAO)
            assert_same(scale_codes & 0x7F, q.scales.reshape(-1), kind.__name__)
            nan = scale_codes & 0x7F == 0x7F
            same_codes(codes, q.codes, nan, rn.E2M1, tensor)


@scales
def test_nvfp4_next_to_ties(count):
    rng = np.random.default_rng(3)
    for amax in rng.uniform(1, 2, 50).astype(np.float32):
        x = near_ties(rng, count // 50, amax)
        codes, scale_codes = torchao_nvfp4(x, amax)
        q = rn.quantize(x, blocks.NVFP4_TORCHAO, tensor_amax=amax)
        assert_same(q.scales.reshape(-1), scale_codes, "scales", x)
        assert_same(q.codes, codes, "codes", x)


@scales
@pytest.mark.parametrize("element", ELEMENTS)
def test_mx_values(element, count):
    """torchao's values of refnum's codes."""
    mx = pytest.importorskip("torchao.prototype.mx_formats.mx_tensor")
    element = rn.format(element)
    types = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
    names = {"e2m1": torch.float4_e2m1fn_x2, "e2m3": mx.DTYPE_FP6_E2M3}
    kind = {**types, **names, "e3m2": mx.DTYPE_FP6_E3M2}[element.name]
    fmt = rn.BlockFormat(element, rn.UE8M0, 32, FLOOR)
    for x in batches(count, 32):
        q = rn.quantize(x, fmt)
        data = q.codes
        if element.bits == 4:
            data = rn.pack(data, 4).reshape(len(x), -1)
        data = torch.from_numpy(data)
        data = data.view(types[element.name]) if element.name in types else data
        scale = torch.from_numpy(q.scales).view(torch.float8_e8m0fnu)
        theirs = mx.to_dtype(data, scale, kind, 32, torch.float32).numpy()
        ours = rn.dequantize(q)
        assert_same(np.nan_to_num(theirs), np.nan_to_num(ours), "values", x)
        assert_same(np.isnan(theirs), np.isnan(ours), "NaNs", x)
