"""Where standards and libraries part: each parting is a named choice.

One test a trap; its name says the trap, its body the choices side by side.
"""

import numpy as np
import pytest

import refnum as rn
from refnum import (
    Cast,
    MissingNaN,
    NaNChoice,
    Negative,
    Rounding,
    Saturation,
    SubnormalInputs,
    ZeroSign,
    casts,
)

NAN, INF = float("nan"), float("inf")


def code(x, fmt, *cast, **options):
    return int(rn.encode(x, fmt, *cast, **options))


def codes(x, fmt, *choices):
    return [code(x, fmt, choice) for choice in choices]


def test_three_ue5m3_and_p3109s():
    names = "ue5m3", "ue5m3_ieee", "ue5m3_finite", "Binary8p4uf"
    largest = [rn.format(name).max for name in names]
    assert largest == [114688.0, 61440.0, 122880.0, 57344.0]
    assert [code(1.0, name) for name in names] == [0x78, 0x78, 0x78, 0x80]


def test_three_e4m3():
    names = "e4m3fn", "float8_e4m3", "e4m3fnuz"
    assert [code(240.0, name) for name in names] == [0x77, 0x77, 0x7F]
    assert [code(1e9, n, Cast(saturation=Saturation.NONE)) for n in names] == [
        *(0x7F, 0x78, 0x80)
    ]


def test_ue8m0_has_no_zero_and_p3109_p1_has():
    assert codes(0.0, "ue8m0", Cast()) == codes(0.0, "Binary8p1uf", Cast()) == [0]
    assert [rn.decode(0, n) for n in ("ue8m0", "Binary8p1uf")] == [2.0**-127, 0.0]


def test_ue4m3_has_seven_bits_and_drops_the_sign():
    assert code(-1.0, "ue4m3") == code(1.0, "ue4m3") == 0x38
    assert code(-1.0, "e4m3") == 0xB8  # the byte that device code leaves behind
    with pytest.raises(ValueError, match="184 is no code of ue4m3"):
        rn.decode(0xB8, "ue4m3")


def test_the_most_negative_integer():
    free, symmetric = Cast(), Cast(symmetric=True)
    assert codes(-2.0, "int8", free, symmetric) == [0x80, 0x81]
    assert codes(-INF, "int4", free, symmetric) == [0x8, 0x9]
    assert codes(2.0, "int8", free, symmetric) == [0x7F, 0x7F]


def test_p3109_names_are_those_of_draft_4():
    assert rn.format("Binary8p3se").infinity
    with pytest.raises(ValueError, match="unknown format 'binary8p3'"):
        rn.format("binary8p3")


def test_fnuz_bytes_read_as_ocp():
    assert rn.decode(0x40, "e4m3") == 2 * rn.decode(0x40, "e4m3fnuz")


def test_tf32_is_its_19_leading_bits():
    one_and_half_place = 1.0 + 2.0**-11
    nearest = Cast(), Cast(rounding=Rounding.NEAREST_AWAY)  # .rn and .rna
    assert codes(one_and_half_place, "tf32", *nearest) == [0x1FC00, 0x1FC01]


NANS = {
    # The code of +NaN and of -NaN in E2M1.
    MissingNaN.MAX: (0x7, 0x7),
    MissingNaN.SIGNED_MAX: (0x7, 0xF),
    MissingNaN.FLIPPED_ZERO: (0x8, 0x0),
    MissingNaN.ZERO: (0x0, 0x0),
    MissingNaN.SIGNED_ONE_AND_A_HALF: (0x3, 0xB),
}


@pytest.mark.parametrize("choice", NANS)
def test_nan_where_there_is_none(choice):
    got = rn.encode([NAN, -NAN], "e2m1", Cast(missing_nan=choice))
    assert tuple(got) == NANS[choice]


def test_nan_where_there_is_none_can_be_an_error():
    cast = Cast(missing_nan=MissingNaN.ERROR)
    assert code(6.0, "e2m1", cast) == 7
    with pytest.raises(ValueError, match="a NaN and e2m1 has none"):
        rn.encode([1.0, NAN], "e2m1", cast)


def test_sign_of_nan():
    assert codes(-NAN, "e4m3", Cast(), Cast(nan_sign=True)) == [0x7F, 0xFF]
    loses = casts.CUDA
    for keeps in (casts.CUDA_DOUBLE, casts.TORCH, casts.ML_DTYPES, casts.CUTLASS):
        assert codes(-NAN, "e4m3", loses, keeps) == [0x7F, 0xFF]


def test_the_nan_of_e5m2():
    choices = [Cast(nan=choice) for choice in NaNChoice]
    assert codes(NAN, "e5m2", *choices) == [0x7F, 0x7E, 0x7E]
    assert codes(NAN, "e5m2", casts.CUDA, casts.TORCH, casts.ML_DTYPES) == [
        *(0x7F, 0x7F, 0x7E)
    ]
    payload = np.array([0x7FFC << 48], np.uint64).view(np.float64)
    assert rn.encode(payload, "e5m2", casts.CUDA_DOUBLE) == 0x7F


def test_minus_zero():
    choices = [Cast(zero_sign=choice) for choice in ZeroSign]
    assert codes(-0.0, "e2m1", *choices) == [0x8, 0x0, 0x0]
    assert codes(-0.1, "e2m1", *choices) == [0x8, 0x0, 0x8]
    assert code(-0.0, "e4m3fnuz") == 0
    assert codes(-0.0, "e2m1", casts.CUDA, casts.PTX_PZO) == [0x8, 0x0]


def test_infinity_under_saturation():
    choices = [Cast(saturation=s) for s in Saturation]
    assert codes(INF, "e4m3", *choices) == [0x7E, 0x7F, 0x7F]
    assert codes(INF, "e5m2", *choices) == [0x7B, 0x7C, 0x7C]
    assert codes(1e9, "e5m2", *choices) == [0x7B, 0x7B, 0x7C]
    assert codes(INF, "e4m3fnuz", casts.ONNX, casts.ONNX_DOCUMENT) == [0x7F, 0x80]
    assert codes(INF, "e2m1", *choices) == [0x7, 0x7, 0x7]


def test_hip_saturates_e4m3_to_nan():
    assert codes(1e9, "e4m3", casts.CUDA, casts.AMD_HIP) == [0x7E, 0x7F]
    assert codes(1e9, "e5m2", casts.CUDA, casts.AMD_HIP) == [0x7B, 0x7B]


def test_zero_negatives_and_infinity_in_ue8m0():
    libraries = casts.CUDA, casts.TORCH, casts.ONNX, casts.ML_DTYPES
    assert codes(0.0, "ue8m0", *libraries) == [0x00, 0x00, 0x00, 0xFF]
    assert codes(-1.0, "ue8m0", *libraries) == [0x7F, 0x7F, 0x7F, 0xFF]
    assert codes(INF, "ue8m0", *libraries) == [0xFE, 0xFF, 0xFF, 0xFF]


def test_negatives_in_ue5m3():
    choices = [Cast(negative=choice) for choice in Negative]
    assert codes(-1.0, "ue5m3", *choices) == [0x78, 0x00, 0xFF]
    assert codes(-INF, "ue5m3", *choices) == [0xFE, 0xFF, 0xFF]
    assert codes(-0.0, "ue5m3", *choices) == [0x00, 0x00, 0x00]
    assert codes(-1.0, "ue5m3", casts.CUDA, casts.ALTO, casts.AMD_CK) == [
        *(0x78, 0x00, 0xFF)
    ]


def test_ue5m3_in_fp16_overflows():
    values = rn.decode([0xF7, 0xF8, 0xFE], "ue5m3", np.float16)
    assert values.tolist() == [61440.0, INF, INF]


def test_ties_even_away_and_toward_zero():
    nearest = "EVEN", "AWAY", "ZERO", "UP"
    choices = [Cast(rounding=Rounding[f"NEAREST_{to}"]) for to in nearest]
    assert codes(0.25, "e2m1", *choices) == [0, 1, 0, 1]
    assert codes(-0.25, "e2m1", *choices) == [8, 9, 8, 8]
    assert codes(0.75, "e2m1", *choices) == [2, 2, 1, 2]
    libraries = casts.CUDA, casts.MICROXCALING, casts.DEEPGEMM
    assert codes(0.25, "e2m1", *libraries) == [0, 1, 0]
    assert codes(0.75, "e2m1", *libraries) == [2, 2, 1]


def test_overflow_at_half_a_place_or_at_the_largest():
    loose = Cast(saturation=Saturation.NONE)
    strict = Cast(saturation=Saturation.NONE, overflow_at_max=True)
    assert codes(448.0, "e4m3", loose, strict) == [0x7E, 0x7E]
    assert codes(449.0, "e4m3", loose, strict) == [0x7E, 0x7F]
    assert codes(464.0, "e4m3", loose, strict) == [0x7E, 0x7F]
    assert codes(np.nextafter(464.0, 500), "e4m3", loose) == [0x7F]
    assert codes(114689.0, "ue5m3", casts.CUDA_NOSAT, casts.ALTO) == [0xFE, 0xFF]


def test_torch_changed_its_mind_on_e4m3():
    assert codes(1e9, "e4m3", casts.TORCH_2_12, casts.TORCH) == [0x7F, 0x7E]
    assert codes(-INF, "e4m3", casts.TORCH_2_12, casts.TORCH) == [0xFF, 0xFE]
    assert codes(INF, "e5m2", casts.TORCH_2_12, casts.TORCH) == [0x7C, 0x7C]


def test_nearest_in_ue8m0():
    # Halves go up, by value and not by logarithm.
    cuda, ml, torch = casts.CUDA, casts.ML_DTYPES, casts.TORCH
    assert codes(1.5, "ue8m0", Cast(), cuda, ml, torch) == [0x80] * 4
    assert codes(3.0, "ue8m0", Cast(), cuda, ml, torch) == [0x80, *[0x81] * 3]
    assert codes(1.4142137, "ue8m0", cuda, ml, torch) == [0x7F] * 3
    # The midpoint of codes 0 and 1 is a subnormal float32.
    for bits, want in ((0x00400000, 0), (0x00400001, 1), (0x005FFFFF, 1)):
        x = np.uint32(bits).view(np.float32)
        assert codes(x, "ue8m0", cuda, ml, torch) == [0, want, want]
    x = np.uint32(0x00600000).view(np.float32)
    assert codes(x, "ue8m0", cuda, ml, torch) == [1, 1, 1]


def test_onnx_raises_subnormals_in_ue8m0():
    up = Cast(rounding=Rounding.TOWARD_POSITIVE)
    raised = Cast(
        rounding=Rounding.TOWARD_POSITIVE, subnormal_inputs=SubnormalInputs.RAISE
    )
    smallest = np.uint32(1).view(np.float32)
    assert codes(smallest, "ue8m0", up, raised, casts.ONNX) == [0, 1, 1]
    assert codes(0.0, "ue8m0", up, raised, casts.ONNX) == [0, 0, 0]


def test_double_rounding_through_float32():
    just_above_a_tie = 1.0625 + 2.0**-40
    assert codes(just_above_a_tie, "e4m3", casts.CUDA_DOUBLE, casts.ML_DTYPES) == [
        *(0x39, 0x38)
    ]
    for library in (casts.TORCH, casts.ONNX):
        assert codes(just_above_a_tie, "e4m3", Cast(), library) == [0x39, 0x38]


def test_composable_kernel_rounds_subnormals_twice():
    step = 2.0**-17
    # 41/16 steps become 5/2 when rounded to 3 bits: a tie, which goes to even.
    x = (2.5 + 2.0**-4) * step
    assert codes(x, "ue5m3", Cast(), casts.AMD_CK) == [3, 2]
    # What rounds up to the smallest code elsewhere is zero here.
    assert codes(0.75 * step, "ue5m3", Cast(), casts.AMD_CK) == [1, 0]


def test_stochastic_conventions():
    # 1 and 1/8 or 3/8 of a place of E4M3; of 4 draws, how many go up.
    ups = {"A": (0, 1), "B": (1, 2), "C": (0, 2)}
    draws = np.arange(4, dtype=np.uint8)
    for mode, counts in ups.items():
        cast = Cast(rounding=Rounding[f"STOCHASTIC_{mode}"], random_bits=2)
        for eighths, count in zip((1, 3), counts, strict=True):
            x = np.full(4, 1.0 + eighths / 64)
            got = rn.encode(x, "e4m3", cast, random=draws) - 0x38
            assert got.tolist() == [0] * (4 - count) + [1] * count
    # Transformer Engine compares 8 bits, Blackwell 16.
    x, draw = 1.0 + 0.5 * 2.0**-10, np.uint16(0xFFE0)
    assert code(x, "e2m1", casts.PTX_RS, random=draw) == 3
    assert code(x, "e2m1", casts.TRANSFORMER_ENGINE_SR8, random=np.uint8(0xFF)) == 2
