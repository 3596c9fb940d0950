"""NVIDIA's conversions: what an H100 computed, and what CUDA's host code returns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import refnum as rn
from refnum import Rounding, casts

from ._cases import EVERY_BF16, assert_same_codes

CAPTURE = Path(__file__).parents[2] / "golden/hardware/h100/cvt_bf16.npz"

# The captured conversions of every bfloat16: the target and the cast.
CAPTURED = {
    "bf16_to_e4m3": ("e4m3", casts.CUDA),
    "bf16_to_e5m2": ("e5m2", casts.CUDA),
    "bf16_to_e4m3_nosat": ("e4m3", casts.CUDA_NOSAT),
    "bf16_to_e5m2_nosat": ("e5m2", casts.CUDA_NOSAT),
    "bf16_to_e2m3": ("e2m3", casts.CUDA),
    "bf16_to_e3m2": ("e3m2", casts.CUDA),
    "bf16_to_e2m1": ("e2m1", casts.CUDA),
    "torch_bf16_to_float8_e4m3fn": ("e4m3", casts.TORCH_2_12),
    "torch_bf16_to_float8_e5m2": ("e5m2", casts.TORCH_2_12),
    "torch_bf16_to_float8_e4m3fnuz": ("e4m3fnuz", casts.TORCH_2_12),
    "torch_bf16_to_float8_e5m2fnuz": ("e5m2fnuz", casts.TORCH_2_12),
    "torch_bf16_to_float8_e8m0fnu": ("ue8m0", casts.TORCH_2_12),
}


def rounded(cast, letters):
    modes = {
        "N": cast.rounding,
        "Z": Rounding.TOWARD_ZERO,
        "U": Rounding.TOWARD_POSITIVE,
        "D": Rounding.TOWARD_NEGATIVE,
    }
    return [replace(cast, rounding=modes[letter]) for letter in letters]


def float32(bits):
    return np.array([bits], np.uint32).view(np.float32)


@pytest.mark.parametrize("name", CAPTURED)
def test_every_bfloat16_on_an_h100(name):
    fmt, cast = CAPTURED[name]
    with np.load(CAPTURE) as capture:
        assert sorted(capture) == sorted(CAPTURED)
        assert_same_codes(rn.encode(EVERY_BF16, fmt, cast), capture[name], EVERY_BF16)


# CUDA 13.5's host code, float32 bits to UE8M0: nearest, toward zero, up; first with
# saturation, then without.
UE8M0 = {
    0x00000000: "00 00 00 00 00 00",
    0x80000000: "00 00 00 00 00 00",
    0x00000001: "00 00 00 00 00 00",
    0x003FFFFF: "00 00 00 00 00 00",
    0x00400000: "00 00 00 00 00 00",
    0x00400001: "00 00 01 00 00 01",
    0x005FFFFF: "00 00 01 00 00 01",
    0x00600000: "01 00 01 01 00 01",
    0x007FFFFF: "01 00 01 01 00 01",
    0x00800000: "01 01 01 01 01 01",
    0x00800001: "01 01 02 01 01 02",
    0x00BFFFFF: "01 01 02 01 01 02",
    0x00C00000: "02 01 02 02 01 02",
    0x3F7FFFFF: "7f 7e 7f 7f 7e 7f",
    0x3F800000: "7f 7f 7f 7f 7f 7f",
    0x3F800001: "7f 7f 80 7f 7f 80",
    0x3FB504F4: "7f 7f 80 7f 7f 80",
    0x3FBFFFFF: "7f 7f 80 7f 7f 80",
    0x3FC00000: "80 7f 80 80 7f 80",
    0xBF800001: "7f 7f 80 7f 7f 80",
    0xBFC00000: "80 7f 80 80 7f 80",
    0x7EFFFFFF: "fe fd fe fe fd fe",
    0x7F000000: "fe fe fe fe fe fe",
    0x7F000001: "fe fe fe fe fe ff",
    0x7F3FFFFF: "fe fe fe fe fe ff",
    0x7F400000: "fe fe fe ff fe ff",
    0x7F7FFFFF: "fe fe fe ff fe ff",
    0x7F800000: "fe fe fe ff ff ff",
    0xFF800000: "fe fe fe ff ff ff",
    0x7FC00000: "ff ff ff ff ff ff",
    0xFFC00000: "ff ff ff ff ff ff",
    0x7F800001: "ff ff ff ff ff ff",
}


@pytest.mark.parametrize("bits", UE8M0, ids=hex)
def test_ue8m0_of_cuda(bits):
    choices = [*rounded(casts.CUDA, "NZU"), *rounded(casts.CUDA_NOSAT, "NZU")]
    got = [rn.encode(float32(bits), "ue8m0", cast)[0] for cast in choices]
    assert " ".join(f"{c:02x}" for c in got) == UE8M0[bits]


# The same of UE5M3.
UE5M3 = {
    0.0: "00 00 00 00 00 00",
    2.0**-149: "00 00 01 00 00 01",
    2.0**-18: "00 00 01 00 00 01",
    float(np.nextafter(np.float32(2.0**-18), np.float32(1))): "01 00 01 01 00 01",
    2.0**-17: "01 01 01 01 01 01",
    1.5 * 2.0**-17: "02 01 02 02 01 02",
    2.5 * 2.0**-17: "02 02 03 02 02 03",
    2.0**-14: "08 08 08 08 08 08",
    1.0: "78 78 78 78 78 78",
    1.0625: "78 78 79 78 78 79",
    1.06250012: "79 78 79 79 78 79",
    1.1875: "7a 79 7a 7a 79 7a",
    -1.0625: "78 78 79 78 78 79",
    61440.0: "f7 f7 f7 f7 f7 f7",
    65504.0: "f8 f7 f8 f8 f7 f8",
    114688.0: "fe fe fe fe fe fe",
    114689.0: "fe fe fe fe fe ff",
    118784.0: "fe fe fe fe fe ff",
    118784.008: "fe fe fe ff fe ff",
    131072.0: "fe fe fe ff fe ff",
    3e38: "fe fe fe ff fe ff",
    float("inf"): "fe fe fe ff ff ff",
    float("-inf"): "fe fe fe ff ff ff",
    float("nan"): "ff ff ff ff ff ff",
    -1.0: "78 78 78 78 78 78",
    -200000.0: "fe fe fe ff fe ff",
}


@pytest.mark.parametrize("value", UE5M3)
def test_ue5m3_of_cuda(value):
    choices = [*rounded(casts.CUDA, "NZU"), *rounded(casts.CUDA_NOSAT, "NZU")]
    got = [int(rn.encode(np.float32(value), "ue5m3", cast)) for cast in choices]
    assert " ".join(f"{c:02x}" for c in got) == UE5M3[value]


# E4M3 with and without saturation, then E5M2; the same from double.
FP8 = {
    0.0: "00 00 00 00",
    2.0**-10: "00 00 14 14",
    2.0**-9: "01 01 18 18",
    1.5 * 2.0**-9: "02 02 1a 1a",
    448.0: "7e 7e 5f 5f",
    463.98999: "7e 7e 5f 5f",
    464.0: "7e 7e 5f 5f",
    464.000092: "7e 7f 5f 5f",
    480.0: "7e 7f 60 60",
    -464.000092: "fe ff df df",
    57344.0: "7e 7f 7b 7b",
    61439.0: "7e 7f 7b 7b",
    61440.0: "7e 7f 7b 7c",
    65536.0: "7e 7f 7b 7c",
    float("inf"): "7e 7f 7b 7c",
    float("-inf"): "fe ff fb fc",
    2.0**-17: "00 00 00 00",
    7.62947093e-06: "00 00 01 01",
    1.0625: "38 38 3c 3c",
    1.1875: "3a 3a 3d 3d",
    1.375: "3b 3b 3e 3e",
}


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("value", FP8)
def test_fp8_of_cuda(value, kind):
    double = kind is np.float64
    saturating = casts.CUDA_DOUBLE if double else casts.CUDA
    choices = saturating, replace(saturating, saturation=rn.Saturation.NONE)
    got = [int(rn.encode(kind(value), f, c)) for f in ("e4m3", "e5m2") for c in choices]
    assert " ".join(f"{c:02x}" for c in got) == FP8[value]


def test_minus_zero_of_cuda():
    formats = "e4m3", "e5m2", "ue5m3", "ue8m0"
    assert [int(rn.encode(-0.0, f, casts.CUDA)) for f in formats] == [128, 128, 0, 0]


def test_nan_in_fp8_of_cuda():
    nans = np.array([np.nan, -np.nan])
    single = [rn.encode(nans, f, casts.CUDA).tolist() for f in ("e4m3", "e5m2")]
    double = [rn.encode(nans, f, casts.CUDA_DOUBLE).tolist() for f in ("e4m3", "e5m2")]
    assert single == [[0x7F, 0x7F], [0x7F, 0x7F]]
    assert double == [[0x7F, 0xFF], [0x7E, 0xFE]]
