"""What an H100 wrote, against the models: not one bit may differ."""

from pathlib import Path

import numpy as np
import pytest

from refnum.products import gemm, instruction, mma

CAPTURES = Path(__file__).resolve().parents[2] / "golden" / "hardware" / "h100"
MMA_KINDS = [
    *("mma_f16", "mma_bf16", "mma_tf32", "mma_f16_f16"),
    *("mma_e4m3", "mma_e5m2", "mma_e4m3_e5m2", "mma_e4m3_f16"),
]
WGMMA_KINDS = [
    *("wgmma_f16", "wgmma_bf16", "wgmma_tf32", "wgmma_f16_f16"),
    *("wgmma_e4m3", "wgmma_e5m2", "wgmma_e4m3_e5m2", "wgmma_e5m2_e4m3"),
    *("wgmma_e4m3_f16", "wgmma_e5m2_f16"),
]


def named(kind):
    """The instruction of a capture: op_a, op_a_b, or op_a_f16 with float16 results."""
    op, *types = kind.split("_")
    d = "f16" if len(types) == 2 and types[1] == "f16" else "f32"
    a, b = types if len(types) == 2 and d == "f32" else (types[0], types[0])
    return instruction(f"sm90.{op}.{a}.{b}.{d}")


def captured(kind):
    with np.load(CAPTURES / f"{kind.split('_')[0]}.npz") as archive:
        return [archive[f"{kind}.{name}"] for name in "ABCD"]


@pytest.mark.parametrize("kind", MMA_KINDS + WGMMA_KINDS)
def test_every_captured_output_is_reproduced(kind):
    a, b, c, d = captured(kind)
    start = c.view(np.float16 if c.dtype == np.uint16 else np.float32)
    result = mma(a, b.swapaxes(-1, -2), start, named(kind))
    np.testing.assert_array_equal(result.view(d.dtype), d)


@pytest.mark.parametrize("kind", MMA_KINDS + WGMMA_KINDS)
def test_captures_hold_special_values_and_finite_ones(kind):
    *_, d = captured(kind)
    values = d.view(np.float16 if d.dtype == np.uint16 else np.float32)
    assert np.isnan(values).any()
    assert np.unique(values[np.isfinite(values)]).size > 100


@pytest.mark.parametrize("kind", MMA_KINDS + WGMMA_KINDS)
def test_evidence_names_the_capture(kind):
    op = named(kind)
    assert op.evidence.confirmation.value == "hardware"
    assert op.evidence.source == f"H100, golden/hardware/h100/{op.op}.npz"


@pytest.mark.parametrize(("speed", "every"), [("fast", None), ("slow", 128)])
@pytest.mark.parametrize("depth", [32, 128, 512, 2048])
def test_fp8_library_products(depth, speed, every):
    with np.load(CAPTURES / "gemm.npz") as archive:
        a, b = archive[f"{depth}.A"], archive[f"{depth}.B"].T
        single = archive[f"{depth}.D.{speed}.float32"]
        narrow = archive[f"{depth}.D.{speed}.bfloat16"]
    op = "sm90.wgmma.e4m3.e4m3.f32"
    result = gemm(a, b, op, promote_every=every)
    np.testing.assert_array_equal(result.view(np.int32), single)
    rounded = gemm(a, b, op, promote_every=every, out="bf16")
    np.testing.assert_array_equal(rounded.view(np.int16), narrow)


@pytest.mark.parametrize("kind", ["bf16", "f16"])
@pytest.mark.parametrize("depth", [32, 128, 512, 2048])
def test_16_bit_library_products_are_chains(depth, kind):
    with np.load(CAPTURES / "gemm.npz") as archive:
        a, b, d = (archive[f"{depth}.{kind}.{name}"] for name in "ABD")
    op = f"sm90.wgmma.{kind}.{kind}.f32"
    result = gemm(a.view(np.uint16), b.view(np.uint16), op, out=kind)
    np.testing.assert_array_equal(result.view(np.int16), d)


def test_the_two_fp8_schedules_differ():
    with np.load(CAPTURES / "gemm.npz") as archive:
        fast, slow = (archive[f"2048.D.{s}.float32"] for s in ("fast", "slow"))
    assert (fast != slow).mean() > 0.9
