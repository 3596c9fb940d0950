"""What holds the values does not matter: shapes, strides, byte order, integers."""

from fractions import Fraction

import numpy as np
import pytest

import refnum as rn
from refnum import Cast, Rounding
from refnum.formats import exact

ARRAY = np.random.default_rng(0).standard_normal((6, 8, 10)) * 8
LAYOUTS = {
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "reversed": lambda x: x[::-1, :, ::-1][::-1, :, ::-1],
    "fortran": np.asfortranarray,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "offset": lambda x: np.concatenate([x[:1], x])[1:],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("fmt", [rn.E4M3, rn.FP16], ids=str)
def test_layout_and_byte_order_change_nothing(fmt, dtype, layout):
    plain = ARRAY.astype(dtype)
    other = LAYOUTS[layout](plain)
    want = rn.encode(plain, fmt)
    np.testing.assert_array_equal(rn.encode(other, fmt), want)
    np.testing.assert_array_equal(rn.round_to(other, fmt), rn.round_to(plain, fmt))
    values = rn.decode(LAYOUTS[layout](want), fmt)
    np.testing.assert_array_equal(values, rn.decode(want, fmt))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3)])
@pytest.mark.parametrize("fmt", [rn.E4M3, rn.FP16, rn.FP32], ids=str)
def test_shapes_are_kept(fmt, shape):
    x = np.ones(shape, np.float32)
    codes = rn.encode(x, fmt)
    assert (codes.shape, codes.dtype) == (shape, fmt.dtype)
    assert (rn.decode(codes, fmt) == x).all()
    assert rn.decode(codes, fmt).shape == rn.round_to(x, fmt).shape == shape
    cast = Cast(rounding=Rounding.STOCHASTIC_A, random_bits=8)
    draws = np.zeros(shape, np.uint8)
    assert rn.encode(x, fmt, cast, random=draws).shape == shape


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("fmt", ["e4m3", "e5m2", "bf16", "fp16", "fp32", "ue8m0"])
def test_integers_have_their_exact_values(fmt, dtype):
    limits, fmt = np.iinfo(dtype), rn.format(fmt)
    ints = [limits.min, limits.max, limits.max - 1, 0, 1, 3, 100]
    # Just beside the middle of two floats: float64 would take it for a tie.
    ints += [m for k in (56, 60, 62) for m in near_ties(k, fmt) if m <= limits.max]
    got = rn.encode(np.array(ints, dtype), fmt)
    assert got.tolist() == [exact.encode(Fraction(i), fmt) for i in ints]


def near_ties(exponent, fmt):
    middle = (1 << exponent) + (1 << (exponent - fmt.mantissa_bits - 1))
    return middle - 1, middle, middle + 1
