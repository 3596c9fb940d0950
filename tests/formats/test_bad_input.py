"""Every error names the value and what is allowed."""

import re

import numpy as np
import pytest

import refnum as rn
from refnum import Cast, Format, MissingNaN, NaNCodes, Rounding
from refnum.formats import exact, p3109

A8 = Cast(rounding=Rounding.STOCHASTIC_A, random_bits=8)
U8 = np.zeros(2, np.uint8)

BAD = {
    # encode and round_to
    "complex values": (lambda: rn.encode([1j], "e4m3"), TypeError, "complex128"),
    "text": (lambda: rn.encode(["1"], "e4m3"), TypeError, "float16, float32.*<U1"),
    "booleans": (lambda: rn.encode([True], "e4m3"), TypeError, "not bool"),
    "objects": (lambda: rn.encode([None], "e4m3"), TypeError, "not object"),
    "too wide": (lambda: rn.encode(np.longdouble([1]), "e4m3"), TypeError, "float128"),
    "no cast": (lambda: rn.encode([1.0], "e4m3", "CUDA"), TypeError, "Cast, not str"),
    "round_to": (lambda: rn.round_to([1.0], "e4m3", 1), TypeError, "Cast, not int"),
    "NaN into FP4": (
        lambda: rn.encode([np.nan], "e2m1", Cast(missing_nan=MissingNaN.ERROR)),
        ValueError,
        "NaN and e2m1 has none",
    ),
    # random bits
    "random missing": (lambda: rn.encode([1.0], "e4m3", A8), ValueError, "needs rand"),
    "random needless": (
        lambda: rn.encode([1.0, 2.0], "e4m3", random=U8),
        ValueError,
        "nearest_even rounding takes no random bits",
    ),
    "random signed": (
        lambda: rn.encode([1.0], "e4m3", A8, random=[1]),
        TypeError,
        "unsigned integers, not int64",
    ),
    "random shape": (
        lambda: rn.encode([1.0], "e4m3", A8, random=U8),
        ValueError,
        r"shape \(2,\); the values have \(1,\)",
    ),
    "random too wide": (
        lambda: rn.encode([1.0], "e4m3", A8, random=np.array([256], np.uint16)),
        ValueError,
        "256, which does not fit 8 bits",
    ),
    # decode
    "float codes": (lambda: rn.decode([1.0], "e4m3"), TypeError, "integers, not float"),
    "code too large": (
        lambda: rn.decode([16], "e2m1"),
        ValueError,
        "16 is no.*0 to 15",
    ),
    "negative code": (lambda: rn.decode([-1], "e4m3"), ValueError, "-1 is no.*to 255"),
    "decode to int": (
        lambda: rn.decode([1], "e4m3", np.int8),
        TypeError,
        "float16, float32 or float64, not int8",
    ),
    "exact code": (
        lambda: exact.decode(256, rn.E4M3),
        ValueError,
        "256.*8 bits of e4m3",
    ),
    "FP32 table": (lambda: rn.FP32.values, ValueError, r"fp32 has 2\*\*32.*use decode"),
    # formats
    "near name": (lambda: rn.format("e4m4"), ValueError, "'e4m4'; near.*ue4m4"),
    "far name": (lambda: rn.format("zzz"), ValueError, "'zzz'; near names: e2m1"),
    "no name": (lambda: rn.format(8), TypeError, "string, not int"),
    "encode name": (lambda: rn.encode([1.0], "nope"), ValueError, "'nope'"),
    "P3109 precision": (lambda: p3109(8, 8), ValueError, "8 does not fit.*8 bits"),
    "one bit": (lambda: Format("x", 0, 0, 0), ValueError, "x: 1 bits; 2 to 32"),
    "33 bits": (lambda: Format("x", 9, 23, 0), ValueError, "x: 33 bits; 2 to 32"),
    "negative width": (lambda: Format("x", -1, 3, 0), ValueError, "not be negative"),
    "unsigned -0 NaN": (
        lambda: Format("x", 4, 3, 7, signed=False, nan=NaNCodes.NEGATIVE_ZERO),
        ValueError,
        "unsigned.*-0",
    ),
    "NaNs alone": (
        lambda: Format("x", 4, 3, 7, nan=NaNCodes.TOP_EXPONENT),
        ValueError,
        "come with an infinity",
    ),
    "infinity alone": (
        lambda: Format("x", 4, 3, 7, infinity=True),
        ValueError,
        "infinity has a NaN",
    ),
    "float complement": (
        lambda: Format("x", 4, 3, 7, twos_complement=True),
        ValueError,
        "signed integers",
    ),
    # casts
    "rounding": (lambda: Cast(rounding="up"), TypeError, "Rounding, not 'up'"),
    "saturation": (lambda: Cast(saturation=True), TypeError, "Saturation, not True"),
    "no bits": (
        lambda: Cast(rounding=Rounding.STOCHASTIC_B),
        ValueError,
        "stochastic_b needs random_bits from 1 to 32, not None",
    ),
    "33 random bits": (
        lambda: Cast(rounding=Rounding.STOCHASTIC_A, random_bits=33),
        ValueError,
        "1 to 32, not 33",
    ),
    "needless bits": (
        lambda: Cast(random_bits=8),
        ValueError,
        "random_bits=8 has no meaning.*nearest_even",
    ),
    # packing
    "17 bits": (lambda: rn.pack([1], 17), ValueError, "1 to 16, not 17"),
    "0 bits": (lambda: rn.unpack(U8, 0, 1), ValueError, "1 to 16, not 0"),
    "half a bit": (lambda: rn.pack([1], 4.5), TypeError, "float"),
    "packing floats": (lambda: rn.pack([0.5], 4), TypeError, "integers, not float64"),
    "wide code": (lambda: rn.pack([16], 4), ValueError, "16 does not fit 4 bits"),
    "code below 0": (lambda: rn.pack([-1], 4), ValueError, "-1 does not fit 4 bits"),
    "wide data": (lambda: rn.unpack([1, 2], 4, 2), TypeError, "uint8, not int64"),
    "short data": (
        lambda: rn.unpack(U8, 6, 3),
        ValueError,
        "3 codes of 6 bits need 3 bytes; there are 2",
    ),
    "negative count": (lambda: rn.unpack(U8, 4, -1), ValueError, "-1 codes"),
}


@pytest.mark.parametrize("name", BAD)
def test_the_error_says_what_and_why(name):
    call, kind, message = BAD[name]
    with pytest.raises(kind, match=re.compile(message, re.DOTALL)):
        call()


def test_no_error_for_nothing():
    empty = rn.encode([], "e2m1", Cast(missing_nan=MissingNaN.ERROR))
    assert (empty.shape, empty.dtype) == ((0,), np.uint8)
    assert rn.decode([], "e4m3").dtype == np.float32
    assert rn.encode([], "e4m3", A8, random=np.zeros(0, np.uint8)).size == 0


def test_a_missing_nan_is_an_error_only_where_one_is():
    cast = Cast(missing_nan=MissingNaN.ERROR)
    assert rn.encode([1.0, np.inf], "e2m1", cast).tolist() == [2, 7]
    assert rn.encode([np.nan], "e4m3", cast) == 0x7F
