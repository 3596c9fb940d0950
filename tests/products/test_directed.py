"""Directed cases see a change of every parameter by one, where it can be seen at all."""

from dataclasses import replace

import numpy as np
import pytest

from refnum.formats import FP16, Rounding
from refnum.products import INSTRUCTIONS, Confirmation, gemm, instruction, mma
from refnum.products.directed import CASES, directed_case, directed_cases

CONFIRMED = [
    op
    for op in INSTRUCTIONS.values()
    if op.evidence.confirmation is Confirmation.HARDWARE
]
SHIFTED = ["alignment_bits", "terms", "fraction_bits"]


def results(op, cases):
    return [mma(x.a, x.b, x.c, op).view(op.d.dtype).tolist() for x in cases]


def seen(op, **change):
    cases = directed_cases(op)
    return results(op, cases) != results(replace(op, **change), cases)


def zero_exponent_decides(op):
    """Whether a product can have a bit that alignment to a zero C loses."""
    last_bit = sum(fmt.emin - fmt.mantissa_bits for fmt in (op.a, op.b))
    return last_bit < op.zero_exponent - op.alignment_bits


@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("field", SHIFTED)
@pytest.mark.parametrize("op", CONFIRMED, ids=str)
def test_a_change_by_one_is_seen(op, field, step):
    assert seen(op, **{field: getattr(op, field) + step})


@pytest.mark.parametrize("op", CONFIRMED, ids=str)
def test_another_rounding_is_seen(op):
    modes = {Rounding.NEAREST_EVEN, Rounding.TOWARD_ZERO}
    (other,) = modes - {op.rounding}
    assert seen(op, rounding=other)


@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("op", CONFIRMED, ids=str)
def test_another_zero_exponent_is_seen_where_it_decides(op, step):
    changed = op.zero_exponent + step
    assert seen(op, zero_exponent=changed) == zero_exponent_decides(op)


def test_zero_exponents_decide_for_wide_operands():
    names = {op.name for op in CONFIRMED if zero_exponent_decides(op)}
    assert "sm80.mma.bf16.bf16.f32" in names
    assert "sm90.wgmma.f16.f16.f16" in names
    # No product of FP16 or FP8 numbers comes near the range's end of float32.
    assert "sm90.wgmma.f16.f16.f32" not in names
    assert not any("e4m3" in name or "e5m2" in name for name in names)


def value(name, case):
    op = instruction(name)
    x = directed_case(case, op)
    return mma(x.a, x.b, x.c, op).item()


def test_cases_show_what_they_say():
    hopper = "sm90.wgmma.e4m3.e4m3.f32"
    assert value(hopper, "cancellation") == 2.0 ** (14 - 13)
    assert value(hopper, "below-alignment") == 0
    assert value(hopper, "next-step") == 0
    assert value(hopper, "long-tail") == 2.0**14
    bf16 = "sm90.mma.bf16.bf16.f32"
    assert value(bf16, "zero-accumulator") == 0
    assert value(bf16, "below-zero-accumulator") == 2.0**-149


def test_negative_zeros_sum_to_positive_zero():
    for op in CONFIRMED:
        case = directed_case("signed-zeros", op)
        assert np.signbit(case.c).all()
        result = mma(case.a, case.b, case.c, op)
        assert not np.signbit(result).any()
        assert (result == 0).all()


@pytest.mark.parametrize("op", CONFIRMED, ids=str)
def test_promotion_sees_the_second_half(op):
    case = directed_case("promotion-boundary", op)
    chained = gemm(case.a, case.b, op)
    promoted = gemm(case.a, case.b, op, promote_every=case.promote_every)
    if op.d == FP16 or op.alignment_bits == 13:
        assert promoted > chained
    else:
        assert promoted >= chained


@pytest.mark.parametrize("op", INSTRUCTIONS.values(), ids=str)
def test_cases_run_on_every_instruction(op):
    for case in directed_cases(op):
        scales = {}
        if op.scale is not None:
            scales = {"scale_a": case.scale_a, "scale_b": case.scale_b}
        assert mma(case.a, case.b, case.c, op, **scales).shape == case.c.shape


def test_specials_show_nan_and_infinity():
    case = directed_case("specials", instruction("sm90.wgmma.e5m2.e5m2.f32"))
    result = mma(case.a, case.b, case.c, "sm90.wgmma.e5m2.e5m2.f32")
    patterns = set(result.view(np.uint32).ravel().tolist())
    assert {0x7FFFFFFF, 0x7F800000, 0xFF800000, 0} <= patterns


def test_unknown_case():
    op = instruction("sm90.wgmma.e4m3.e4m3.f32")
    with pytest.raises(ValueError, match="unknown case 'x'; there are cancellation"):
        directed_case("x", op)
    assert len(CASES) == len({build.__name__ for build in CASES})
