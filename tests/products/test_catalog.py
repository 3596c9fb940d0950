"""The instruction table: names, evidence, and what the look-up says."""

import pytest

from refnum.formats import E4M3, E5M2, FP16, FP32, TF32
from refnum.products import (
    INSTRUCTIONS,
    Confirmation,
    MatrixInstruction,
    Model,
    instruction,
)


@pytest.mark.parametrize(("key", "op"), INSTRUCTIONS.items())
def test_rows_go_by_their_names(key, op):
    assert key == op.name == str(op)
    assert instruction(key) is op
    assert instruction(op) is op


def test_names_of_the_contract():
    fp8 = instruction("sm90.wgmma.e4m3.e4m3.f32")
    assert (fp8.terms, fp8.alignment_bits, fp8.fraction_bits) == (32, 13, 13)
    assert fp8.zero_exponent == -133
    bf16 = instruction("sm80.mma.bf16.bf16.f32")
    assert (bf16.terms, bf16.alignment_bits, bf16.fraction_bits) == (8, 24, 23)
    nvfp4 = instruction("sm100.tcgen05.mxf4nvf4.ue4m3.f32")
    assert (nvfp4.terms, nvfp4.alignment_bits, nvfp4.block) == (64, 35, 16)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("HOPPER.WGMMA.E4M3.E5M2.F16", "sm90.wgmma.e4m3.e5m2.f16"),
        ("cdna3.mfma.fp8.bf8.f32", "gfx942.mfma.e4m3fnuz.e5m2fnuz.f32"),
        ("gfx942.mfma.xf32.xf32.fp32", "gfx942.mfma.tf32.tf32.f32"),
        ("volta.mma.fp16.fp16.f32", "sm70.mma.f16.f16.f32"),
    ],
)
def test_other_names(alias, name):
    assert instruction(alias).name == name


def test_unknown_names_list_near_ones():
    with pytest.raises(ValueError, match=r"sm90\.wgmma\.e4m3\.e4m3\.f32"):
        instruction("sm90.wgmma.e4m3.f32")
    with pytest.raises(ValueError, match="names are arch"):
        instruction("?")
    with pytest.raises(TypeError, match="named by a string"):
        instruction(90)


def test_step_widths_follow_the_bytes_of_an_operand():
    step_bytes = {"sm70": 8, "sm75": 16, "sm80": 16, "sm86": 16, "sm89": 16}
    for op in INSTRUCTIONS.values():
        if op.model is not Model.FUSED or op.op == "mma_m8n8k4":
            continue
        each = 4 if op.a == TF32 else max(1, op.a.bits // 8)
        assert op.terms * each == step_bytes.get(op.arch, 32)
        assert op.k % op.terms == 0


def test_zero_exponents_lie_below_every_number_of_d():
    for op in INSTRUCTIONS.values():
        if op.zero_exponent is not None:
            assert op.zero_exponent < op.d.emin - 4


def test_only_mma_emulates_fp8():
    emulated = [op for op in INSTRUCTIONS.values() if op.model is Model.EMULATED]
    assert {op.arch for op in emulated} == {"sm90", "sm100"}
    assert {op.op for op in emulated} == {"mma"}
    assert {op.a for op in emulated} == {E4M3, E5M2}
    assert {op.d for op in emulated} == {FP16, FP32}


def test_evidence_is_said_in_one_line():
    captured = instruction("sm90.wgmma.e4m3.e4m3.f32")
    assert str(captured.evidence) == "hardware: H100, golden/hardware/h100/wgmma.npz"
    kinds = {op.evidence.confirmation for op in INSTRUCTIONS.values()}
    assert kinds == set(Confirmation)
    assert all(op.evidence.source for op in INSTRUCTIONS.values())


def test_block_scales_belong_to_the_scaled_models():
    for op in INSTRUCTIONS.values():
        scaled = op.model in (Model.SCALED, Model.GROUPED)
        assert (op.scale is not None) == (op.block is not None) == scaled


def test_records_are_frozen():
    op = instruction("sm90.wgmma.e4m3.e4m3.f32")
    assert isinstance(op, MatrixInstruction)
    with pytest.raises(AttributeError):
        op.terms = 16
