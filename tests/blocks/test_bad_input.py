"""Wrong input is refused with a message that names it; nothing is guessed."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import blocks
from refnum.blocks import BlockFormat, Quantized, ScaleRule, TensorScale

X = np.ones((4, 32), np.float32)
STOCHASTIC = blocks.NVFP4_SR


def wrong(kind, message):
    return pytest.raises(kind, match=message)


@pytest.mark.parametrize(
    "x",
    [
        ["1.0"],
        [1j],
        [None],
        [True, False],
        np.zeros(2, "datetime64[s]"),
        np.zeros(2, object),
        np.zeros(2, np.longdouble),
    ],
    ids=str,
)
def test_values_that_are_no_real_numbers(x):
    if np.asarray(x).dtype == np.float64:
        pytest.skip("longdouble is float64 here")
    with wrong(TypeError, "must be float16, float32, float64 or integers, not"):
        rn.quantize(x, rn.MXFP4)


def test_scalars_have_no_axis():
    with wrong(ValueError, "a scalar has no axis to block"):
        rn.quantize(1.0, rn.MXFP4)


@pytest.mark.parametrize("axis", [2, -3, 100])
def test_axes_that_do_not_exist(axis):
    with wrong(ValueError, f"axis {axis} does not exist in an array of shape"):
        rn.quantize(X, rn.MXFP4, axis=axis)


@pytest.mark.parametrize("axis", [0.5, "0", None, (0, 1)])
def test_axes_that_are_no_integers(axis):
    with wrong(TypeError, "axis"):
        rn.quantize(X, rn.MXFP4, axis=axis)


@pytest.mark.parametrize("fmt", ["mxfp4", None, rn.E2M1, rn.MXFP4.rule])
def test_formats_that_are_none(fmt):
    with wrong(TypeError, "block_format must be a BlockFormat, not"):
        rn.quantize(X, fmt)


def test_a_tile_needs_two_dimensions():
    with wrong(ValueError, r"a tile \(16, 16\) needs an array of two dimensions"):
        rn.quantize(np.ones(32), blocks.NVFP4_16X16)


def test_random_bits():
    words = np.zeros(X.shape, np.uint16)
    with wrong(ValueError, "stochastic_a rounding needs random bits"):
        rn.quantize(X, STOCHASTIC)
    with wrong(ValueError, "nearest_even rounding takes no random bits"):
        rn.quantize(X, rn.NVFP4, random=words)
    with wrong(ValueError, r"random has shape \(4, 16\); the values have \(4, 32\)"):
        rn.quantize(X, STOCHASTIC, random=words[:, :16])
    with wrong(TypeError, "random bits must be unsigned integers, not int64"):
        rn.quantize(X, STOCHASTIC, random=words.astype(np.int64))
    with wrong(ValueError, "random holds 65536, which does not fit 16 bits"):
        rn.quantize(X, STOCHASTIC, random=words.astype(np.uint32) + 65536)


@pytest.mark.parametrize("amax", [-1.0, np.nan])
def test_tensor_amax_is_a_magnitude(amax):
    with wrong(ValueError, f"tensor_amax is {amax}; it must not be negative or NaN"):
        rn.quantize(X, rn.NVFP4, tensor_amax=amax)


def test_tensor_amax_has_a_shape():
    with wrong(ValueError, r"tensor_amax has shape \(3,\); \(\) is needed"):
        rn.quantize(X, rn.NVFP4, tensor_amax=[1.0, 2.0, 3.0])
    rows = replace(rn.NVFP4, tensor_scale=TensorScale(448.0, span="row"))
    with wrong(ValueError, r"tensor_amax has shape \(3,\); \(4,\) is needed"):
        rn.quantize(X, rows, tensor_amax=[1.0, 2.0, 3.0])


def test_tensor_amax_without_a_tensor_scale():
    with wrong(ValueError, "mxfp4 has no tensor scale"):
        rn.quantize(X, rn.MXFP4, tensor_amax=1.0)


def test_outer_blocks_hold_whole_blocks():
    fmt = replace(rn.NVFP4, tensor_scale=TensorScale(448.0, span=40))
    with wrong(ValueError, "an outer block of 40 elements is no multiple of 16"):
        rn.quantize(X, fmt)


@pytest.mark.parametrize("dtype", [np.float16, np.int32, "complex64"])
def test_dequantised_types(dtype):
    with wrong(TypeError, "dtype must be float32 or float64, not"):
        rn.dequantize(rn.quantize(X, rn.MXFP4), dtype)


def test_dequantise_takes_what_quantise_gives():
    with wrong(TypeError, "q must be a Quantized, not ndarray"):
        rn.dequantize(X)


@pytest.mark.parametrize("shape", [(4,), (4, 2), (2, 2), (0,)])
def test_scales_of_another_shape(shape):
    q = rn.quantize(X, rn.MXFP4)
    with wrong(ValueError, r"scales have shape .*; \(4, 1\) is needed"):
        rn.dequantize(replace(q, scales=np.zeros(shape, np.uint8)))


@pytest.mark.parametrize("scale", [None, np.ones(3, np.float32)], ids=["no", "three"])
def test_tensor_scales_of_another_shape(scale):
    q = rn.quantize(X, rn.NVFP4)
    with wrong(ValueError, "tensor scale"):
        rn.dequantize(replace(q, tensor_scale=scale))


def test_a_tensor_scale_that_nothing_uses():
    q = rn.quantize(X, rn.MXFP4)
    with wrong(ValueError, "tensor scale"):
        rn.dequantize(replace(q, tensor_scale=np.float32(2)))


def test_codes_beyond_the_format():
    q = rn.quantize(X, rn.MXFP4)
    with wrong(ValueError, "code 16 is no code of e2m1"):
        rn.dequantize(replace(q, codes=np.full_like(q.codes, 16)))
    q = rn.quantize(X, rn.NVFP4)
    with wrong(ValueError, "code 128 is no code of ue4m3"):
        rn.dequantize(replace(q, scales=np.full_like(q.scales, 128)))


def test_axis_of_a_quantised_array():
    q = rn.quantize(X, rn.MXFP4)
    with wrong(ValueError, "axis 5 does not exist"):
        rn.dequantize(Quantized(q.codes, q.scales, None, rn.MXFP4, 5))


BAD_FORMATS = {
    "block is 0": {"block": 0},
    "block is -1": {"block": -1},
    r"block is \(16,\)": {"block": (16,)},
    r"block is \(16, 0\)": {"block": (16, 0)},
    "block is 'column'": {"block": "column"},
    "block is 2.5": {"block": 2.5},
    "block is True": {"block": True},
    "convention is 'inverse'": {"convention": "inverse"},
    "prescale is 0": {"prescale": 0},
    "prescale is nan": {"prescale": float("nan")},
    "prescale is inf": {"prescale": float("inf")},
    "has no spare bit": {"alternate": rn.E1M2},
    "takes a tensor scale of span tensor": {
        "block": (16, 16),
        "tensor_scale": TensorScale(448.0, span="row"),
    },
}


@pytest.mark.parametrize("message", BAD_FORMATS)
def test_block_formats(message):
    with wrong(ValueError, message):
        replace(rn.MXFP4, **BAD_FORMATS[message])


@pytest.mark.parametrize("limit", [0, -1.0, float("nan"), float("inf")])
def test_tensor_scale_limits(limit):
    with wrong(ValueError, f"limit is {limit}; it must be positive"):
        TensorScale(limit)


@pytest.mark.parametrize("span", ["column", 0, -16, 2.5, None, True])
def test_tensor_scale_spans(span):
    with wrong(ValueError, f"span is {span!r}; tensor, row or a size is allowed"):
        TensorScale(448.0, span)


@pytest.mark.parametrize("unit", ["emax", 0, -6.0, float("nan"), float("inf")])
def test_units(unit):
    with wrong(ValueError, f"unit is {unit!r}"):
        ScaleRule("bad", unit=unit)


def test_statistics():
    with wrong(ValueError, "statistic is 'mean'; amax and std are allowed"):
        ScaleRule("bad", statistic="mean")


def test_names():
    with wrong(ValueError, "unknown block format 'mxpf4'; near names: .*mxfp4"):
        blocks.block_format("mxpf4")


def test_extremes_are_no_bad_input():
    """NaN, infinities and float64 beyond float32 have results, without warnings."""
    x = np.array([[np.nan, np.inf, -np.inf, 1e300, -1e-300, 5e-324, 0.0, -0.0] * 4])
    for name in blocks.names():
        fmt = blocks.block_format(name)
        if fmt.stored.element_cast.random_bits is None:
            tall = np.repeat(x, 16, axis=0)
            assert rn.dequantize(rn.quantize(tall, fmt)).shape == tall.shape
    assert isinstance(rn.MXFP4, BlockFormat)
