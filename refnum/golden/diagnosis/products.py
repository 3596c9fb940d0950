"""Matrix products: how a kernel's accumulation differs from that of a golden file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from refnum.formats import BF16, FP16, FP32, Cast, Format, Rounding, decode, encode
from refnum.golden.diagnosis.casts import cast_deviations, field
from refnum.golden.diagnosis.deviation import Array, Deviation, Outputs, lift
from refnum.products import (
    INSTRUCTIONS,
    Accumulator,
    MatrixInstruction,
    Model,
    Order,
    gemm,
    instruction,
    matmul,
    mma,
)

__all__ = ["Product", "compute_product", "product_deviations"]

_BITS = 10, 11, 12, 13, 14, 22, 23, 24, 25, 26, 27, 35
_FRACTIONS = 7, 10, 13, 23
_GROUP = 16  # products that the 4-bit kinds add exactly
_TERMS = 1, 2, 4, 8, 16, 32, 64
_PROMOTIONS = 32, 64, 128, 256, 512
_ROUNDINGS = Rounding.NEAREST_EVEN, Rounding.TOWARD_ZERO, Rounding.TOWARD_NEGATIVE


@dataclass(frozen=True)
class Product:
    """All that decides the bits of a product.

    Parameters
    ----------
    instruction : MatrixInstruction
        The arithmetic of a step.
    promote_every, split_k
        The schedule, as `gemm` takes it.
    out : Format, optional
        Format of the result, codes of which the golden file holds if `codes`.
    cast : Cast
        How the result is cast to `out`.
    codes : bool
        Whether results are codes of `out`, rather than its values in float32.
    accumulator : Accumulator, optional
        A product without any instruction.
    c : str
        What happens to C: ``first`` (it starts the chain), ``last`` (added in
        float32), ``ignored``.
    a_columns, b_columns : bool
        Whether the buffer of A or of B is read column by column.
    scales : str
        Block scales: ``given``, ``ignored``, ``exchanged``.
    """

    instruction: MatrixInstruction
    promote_every: int | None = None
    split_k: int = 1
    out: Format | None = None
    cast: Cast = Cast()
    codes: bool = False
    accumulator: Accumulator | None = None
    c: str = "first"
    a_columns: bool = False
    b_columns: bool = False
    scales: str = "given"


def compute_product(
    record: Product,
    *,
    a: Array,
    b: Array,
    c: Array | None = None,
    scale_a: Array | None = None,
    scale_b: Array | None = None,
) -> Outputs:
    """Return the product."""
    left = a.reshape(a.shape[::-1]).T if record.a_columns else a
    right = b.reshape(b.shape[::-1]).T if record.b_columns else b
    scales = _scales(record, scale_a, scale_b)
    addend = None if record.c == "ignored" else c
    d = _multiply(record, left, right, addend, scales)
    if record.out is None:
        return {"d": d}
    codes = encode(d, record.out, record.cast)
    return {"d": codes if record.codes else decode(codes, record.out)}


def product_deviations(
    record: Product, *, k: int, has_c: bool
) -> tuple[Deviation, ...]:
    """Return the deviations of a product over `k`."""
    op = record.instruction
    return (
        *lift(_instruction_fields(op), "", _in_instruction),
        *_schedules(record, k),
        *_outputs(record),
        *_operands(op, has_c),
        *_other_instructions(op),
    )


def _instruction_fields(op: MatrixInstruction) -> Iterator[Deviation]:
    for bits in _BITS:
        name = f"{bits} alignment bits"
        yield field("alignment", name, "alignment_bits", bits)
    for mode in _ROUNDINGS:
        name = f"sums rounded {mode.value}"
        yield field("step rounding", name, "rounding", mode)
    for bits in _FRACTIONS:
        name = f"sums of {bits} fraction bits"
        yield field("fraction", name, "fraction_bits", bits)
    for terms in _TERMS:
        whole = op.model is not Model.GROUPED or terms % _GROUP == 0
        if op.k % terms == 0 and whole:
            yield field("terms", f"steps of {terms} products", "terms", terms)
    for order in Order:
        yield field("order", f"products in the order {order.value}", "order", order)
    if op.zero_exponent is not None:
        name = "zero terms take no part in the alignment"
        yield field("zero", name, "zero_exponent", -1000)


def _schedules(record: Product, k: int) -> Iterator[Deviation]:
    every: list[int | None] = [n for n in _PROMOTIONS if n < k]
    for n in [*every, None]:
        name = f"promoted every {n} products" if n else "one chain, not promoted"
        yield field("promotion", name, "promote_every", n)
    for parts in (2, 4, 8):
        yield field("split", f"K split in {parts}", "split_k", parts)
    for accumulator in Accumulator:
        name = f"accumulated {accumulator.value} in float32"
        yield field("accumulator", name, "accumulator", accumulator)


def _outputs(record: Product) -> Iterator[Deviation]:
    if record.codes and record.out is not None:
        yield from lift(cast_deviations(record.out), "output", _in_output_cast)
        return
    for out in (BF16, FP16):
        name = f"result rounded to {out}"
        yield field("output", name, "out", out)
        change = partial(_cut_output, out)
        yield Deviation(f"result truncated to {out}", "output", change)


def _operands(op: MatrixInstruction, has_c: bool) -> Iterator[Deviation]:
    yield field("a layout", "A read column by column", "a_columns", True)
    yield field("b layout", "B transposed: read column by column", "b_columns", True)
    if has_c:
        yield field("c", "C added last, in float32", "c", "last")
        yield field("c", "C ignored", "c", "ignored")
    if op.scale is not None:
        yield field("scales", "block scales ignored", "scales", "ignored")
        yield field("scales", "scales of A and B exchanged", "scales", "exchanged")
    formats = {row.a for row in INSTRUCTIONS.values() if row.a.bits == op.a.bits}
    for other in sorted(formats - {op.a, op.b}, key=str):
        for sides in (("a",), ("b",), ("a", "b")):
            name = (
                f"{' and '.join(sides).upper().replace('AND', 'and')} read as {other}"
            )
            change = partial(_read_as, sides, other)
            yield Deviation(name, "operands", change)


def _other_instructions(op: MatrixInstruction) -> Iterator[Deviation]:
    for name, row in INSTRUCTIONS.items():
        if (row.a, row.b, row.scale) == (op.a, op.b, op.scale) and row != op:
            change = partial(_use, row)
            yield Deviation(f"instruction {name}", "instruction", change, whole=True)


def _scales(
    record: Product, scale_a: Array | None, scale_b: Array | None
) -> dict[str, Array]:
    if scale_a is None or scale_b is None:
        return {}
    if record.scales == "exchanged":
        scale_a, scale_b = scale_b.T, scale_a.T
    if record.scales == "ignored":
        scale = record.instruction.scale
        if scale is None:
            raise ValueError("there are no scales")
        one = encode(np.float32(1), scale)
        scale_a, scale_b = np.full_like(scale_a, one), np.full_like(scale_b, one)
    return {"scale_a": scale_a, "scale_b": scale_b}


def _multiply(
    record: Product, a: Array, b: Array, c: Array | None, scales: dict[str, Array]
) -> Array:
    op = record.instruction
    if record.accumulator is not None:
        values = [_values(x, fmt) for x, fmt in ((a, op.a), (b, op.b))]
        if scales:
            raise ValueError("block scales need an instruction")
        product = matmul(values[0], values[1], accumulator=record.accumulator)
        return product if c is None else product + c
    chained = record.promote_every is None and record.split_k == 1
    if c is not None and record.c == "first" and chained:
        start = c.astype(np.float16 if op.d == FP16 else np.float32)
        return mma(a, b, start, op, **scales).astype(np.float32)
    d = gemm(
        *(a, b, op),
        promote_every=record.promote_every,
        split_k=record.split_k,
        **scales,  # type: ignore[arg-type]
    ).astype(np.float32)
    return d if c is None else c + d


def _values(codes: Array, fmt: Format) -> Array:
    return decode(codes, fmt) if fmt != FP32 else codes.view(np.float32)


def _in_instruction(record: Product, edit: Any) -> Product:
    return replace(record, instruction=edit(record.instruction))


def _in_output_cast(record: Product, edit: Any) -> Product:
    return replace(record, cast=edit(record.cast))


def _cut_output(out: Format, record: Product) -> Product:
    return replace(record, out=out, cast=Cast(Rounding.TOWARD_ZERO))


def _read_as(sides: tuple[str, ...], fmt: Format, record: Product) -> Product:
    changed: dict[str, Any] = dict.fromkeys(sides, fmt)
    return replace(record, instruction=replace(record.instruction, **changed))


def _use(row: MatrixInstruction, record: Product) -> Product:
    return replace(record, instruction=instruction(row))
