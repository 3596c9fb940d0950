"""What libraries that cannot be run here are documented to do, case by case.

Each row: a cast, a format, and codes of given values as the library's source has it.
"""

import numpy as np
import pytest

import refnum as rn
from refnum import casts

NAN, INF = float("nan"), float("inf")

# (cast, format, {value: code}). The source stands beside the cast in casts.py.
DOCUMENTED = [
    # CUTLASS exmy_base.h: infinity saturates, a NaN keeps its sign, FP4 and FP6 too.
    ("CUTLASS", "e2m1", [(NAN, 0x7), (-NAN, 0xF), (INF, 0x7), (-INF, 0xF)]),
    ("CUTLASS", "e3m2", [(NAN, 0x1F), (-NAN, 0x3F), (-INF, 0x3F), (-0.0, 0x20)]),
    ("CUTLASS", "e4m3", [(NAN, 0x7F), (-NAN, 0xFF), (INF, 0x7E), (464.0, 0x7E)]),
    ("CUTLASS", "ue4m3", [(-1.0, 0x38), (NAN, 0x7F), (1e9, 0x7E)]),
    # HIP, amd_hip_ocp_host.hpp.
    ("AMD_HIP", "e2m1", [(NAN, 0x7), (-NAN, 0xF), (7.0, 0x7), (0.25, 0x0)]),
    ("AMD_HIP", "e2m3", [(NAN, 0x1F), (-NAN, 0x3F)]),
    ("AMD_HIP", "e4m3", [(448.0, 0x7E), (449.0, 0x7F), (1e9, 0x7F), (-1e9, 0xFF)]),
    ("AMD_HIP", "e4m3", [(NAN, 0x7F), (-NAN, 0xFF), (-0.0, 0x80)]),
    ("AMD_HIP", "e5m2", [(1e9, 0x7B), (-1e9, 0xFB), (NAN, 0x7E), (-NAN, 0xFE)]),
    ("AMD_HIP", "e4m3fnuz", [(NAN, 0x80), (-0.0, 0x00)]),
    # mxDataGenerator satConvertToType: the sign is that of value < 0.
    ("AMD_MXDATAGENERATOR", "e2m1", [(NAN, 0x7), (-NAN, 0xF), (7.5, 0x7), (-9, 0xF)]),
    ("AMD_MXDATAGENERATOR", "e2m1", [(-0.0, 0x0), (-0.1, 0x8), (0.1, 0x0)]),
    # Composable Kernel scale_utils.hpp.
    ("AMD_CK", "ue5m3", [(1.0, 0x78), (-1.0, 0xFF), (INF, 0xFF), (NAN, 0xFF)]),
    ("AMD_CK", "ue5m3", [(1e9, 0xFE), (114688.0, 0xFE), (-INF, 0xFF)]),
    ("AMD_CK", "ue5m3", [(1e-40, 0x00), (0.75 * 2**-17, 0x00), (2.0**-17, 0x01)]),
    # ALTO ue5m3_ops.py.
    ("ALTO", "ue5m3", [(-1.0, 0x00), (114688.0, 0xFE), (114689.0, 0xFF), (INF, 0xFF)]),
    ("ALTO", "ue5m3", [(NAN, 0xFF), (-INF, 0xFF), (1.0625, 0x78), (1e9, 0xFF)]),
    # torchao f32_to_f4_unpacked: bit arithmetic that does not know NaN.
    ("TORCHAO", "e2m1", [(NAN, 0x3), (-NAN, 0xB), (-0.0, 0x8), (0.25, 0), (9.0, 0x7)]),
    # DeepGEMM _quantize_to_fp4_e2m1: counts the midpoints below.
    ("DEEPGEMM", "e2m1", [(0.25, 0), (0.75, 1), (1.25, 2), (1.75, 3), (2.5, 4)]),
    ("DEEPGEMM", "e2m1", [(3.5, 5), (5.0, 6), (-5.0, 0xE), (-0.0, 0x0), (NAN, 0x0)]),
    # compressed-tensors cast_to_fp4, eager and Triton.
    ("COMPRESSED_TENSORS", "e2m1", [(-0.0, 0x0), (-0.1, 0x8), (0.75, 2), (-2.5, 0xC)]),
    ("COMPRESSED_TENSORS_TRITON", "e2m1", [(-0.0, 0x8), (0.25 + 2.0**-11, 0x0)]),
    # Transformer Engine reference_nvfp4.py cast_to_fp4x2.
    ("TRANSFORMER_ENGINE_REFERENCE", "e2m1", [(-0.0, 0x0), (NAN, 0x0), (-0.1, 0x0)]),
    ("TRANSFORMER_ENGINE_REFERENCE", "e2m1", [(0.75, 2), (5.0, 6), (-6.0, 0xF)]),
    # microxcaling, round="nearest": ties away, and -0 is lost.
    ("MICROXCALING", "e2m1", [(0.25, 1), (1.25, 3), (-0.25, 9), (-0.0, 0), (-0.1, 0)]),
    ("MICROXCALING", "e4m3", [(1.0625, 0x39), (464.0, 0x7E), (-1e9, 0xFE)]),
    # Tenstorrent SFPSTOCHRND.
    ("TENSTORRENT", "e4m3", [(1.0625, 0x39), (1e-40, 0x00), (-1e-40, 0x00)]),
    # RISC-V Zvfofp8min in QEMU: one NaN byte, overflow beyond the largest value.
    ("QEMU", "e4m3", [(NAN, 0x7F), (-NAN, 0x7F), (465.0, 0x7F), (464.0, 0x7E)]),
    ("QEMU", "e5m2", [(NAN, 0x7F), (-NAN, 0x7F), (1e9, 0x7C)]),
    # ONNX's document (not its reference): FNUZ infinity is NaN, a NaN in FP4 is 6.
    ("ONNX_DOCUMENT", "e4m3fnuz", [(INF, 0x80), (1e9, 0x7F), (NAN, 0x80)]),
    ("ONNX_DOCUMENT", "e5m2fnuz", [(-INF, 0x80), (-1e9, 0xFF)]),
    ("ONNX_DOCUMENT", "e2m1", [(NAN, 0x7), (-NAN, 0x7), (INF, 0x7), (-INF, 0xF)]),
    ("ONNX_DOCUMENT", "ue8m0", [(INF, 0xFF), (2.0**127, 0xFE), (3e38, 0xFE)]),
    # PTX 9.4 .pzo.
    ("PTX_PZO", "e4m3", [(-0.0, 0x00), (-1e-9, 0x00), (-1.0, 0xB8)]),
]


@pytest.mark.parametrize(("name", "fmt", "cases"), DOCUMENTED)
def test_documented(name, fmt, cases):
    values, codes = zip(*cases, strict=True)
    got = rn.encode(np.array(values, np.float32), fmt, getattr(casts, name))
    assert [hex(c) for c in got] == [hex(c) for c in codes]


def test_blackwells_stochastic_rounding():
    # 16 random bits, aligned with the top of what is cut off; subnormals are zeros,
    # and a NaN keeps its sign.
    x = np.float32(1.0) + np.float32(2.0**-4)  # half a place of E4M3
    draws = np.array([0x7FFF, 0x8000], np.uint16)
    assert rn.encode([x, x], "e4m3", casts.PTX_RS, random=draws).tolist() == [56, 57]
    below = np.float32(1.0) + np.float32(2.0**-20)  # less than one step of a draw
    ones = np.array(0xFFFF, np.uint16)
    assert rn.encode(below, "e4m3", casts.PTX_RS, random=ones) == 0x38
    special = np.array([-NAN, 1e-40, -1e-40, INF, -1e9], np.float32)
    got = rn.encode(special, "e4m3", casts.PTX_RS, random=np.full(5, ones))
    assert got.tolist() == [0xFF, 0x00, 0x80, 0x7E, 0xFE]


def test_transformer_engines_software_rounding():
    # u = byte / 256 of a step is added, and the sum is cut off.
    x = np.full(256, 1.125)  # a quarter of the way from 1 to 1.5
    draws = np.arange(256, dtype=np.uint8)
    got = rn.encode(x, "e2m1", casts.TRANSFORMER_ENGINE_SR8, random=draws)
    assert got.tolist() == [2] * 192 + [3] * 64
    zero = np.array(0, np.uint8)
    assert rn.encode(-NAN, "e2m1", casts.TRANSFORMER_ENGINE_SR8, random=zero) == 7


def test_every_cast_has_a_name():
    names = casts.names()
    assert "CUDA" in names
    assert all(isinstance(getattr(casts, name), rn.Cast) for name in names)


def test_every_cast_is_tested():
    here = {name for name, _, _ in DOCUMENTED}
    elsewhere = {"CUDA", "CUDA_NOSAT", "CUDA_DOUBLE", "TORCH", "TORCH_2_12"}
    elsewhere |= {"ML_DTYPES", "ONNX", "ONNX_NOSAT", "PTX_RS", "TRANSFORMER_ENGINE_SR8"}
    assert here | elsewhere == set(casts.names())
