"""Golden folders of matrix instructions and of whole products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import BF16, E4M3, Format, encode
from refnum.golden.bundle import Bundle, Tensor
from refnum.golden.record import Disagreement
from refnum.golden.tensors import random_values
from refnum.products import gemm, instruction, mma
from refnum.products.directed import Case, directed_case, directed_cases

__all__ = ["Schedule", "gemm_bundle", "gemm_cases", "mma_bundle", "mma_cases"]

# One instruction of each kind of arithmetic, so that a folder stands for its model.
_INSTRUCTIONS = (
    "sm80.mma.bf16.bf16.f32",
    "sm89.mma.e4m3.e4m3.f32",
    "sm90.mma.e4m3.e4m3.f32",
    "sm90.wgmma.bf16.bf16.f32",
    "sm90.wgmma.e4m3.e4m3.f32",
    "sm100.tcgen05.e4m3.e4m3.f32",
    "sm100.tcgen05.mxf4nvf4.ue4m3.f32",
)
_HOPPER = "sm90.wgmma.e4m3.e4m3.f32"
_SHAPE = (8, 512, 8)

Key = tuple[int, int]


@dataclass(frozen=True)
class Schedule:
    """A whole product: chained, or promoted every so many; rounded to a format."""

    name: str
    promote_every: int | None = None
    out: Format | None = None


_SCHEDULES = (
    Schedule("fast"),
    Schedule("promoted-128", promote_every=128),
    Schedule("promoted-128-bf16", promote_every=128, out=BF16),
)


def mma_cases() -> Iterator[tuple[str, str, str]]:
    """Return the path, the instruction and the case of every folder."""
    for name in _INSTRUCTIONS:
        for case in directed_cases(instruction(name)):
            yield f"mma/{name}.{case.name}", name, case.name


def mma_bundle(name: str, case_name: str) -> Bundle:
    """Return one directed case, by the readable model and by the fast path."""
    op, case = instruction(name), directed_case(case_name, instruction(name))
    scale_a, scale_b = case.scale_a, case.scale_b
    d = mma(case.a, case.b, case.c, op, scale_a=scale_a, scale_b=scale_b)
    if not np.any(case.c) and not np.signbit(case.c).any():
        fast = gemm(case.a, case.b, op, scale_a=scale_a, scale_b=scale_b)
        _same(d, fast, f"{name} {case_name}")
    spec = {"instruction": name, "why": case.why}
    return Bundle("mma", spec, _tensors(case, d))


def gemm_cases() -> Iterator[tuple[str, Schedule]]:
    """Return the path and the schedule of every folder."""
    for schedule in _SCHEDULES:
        yield f"gemm/{_HOPPER}.{schedule.name}", schedule


def gemm_bundle(schedule: Schedule, key: Key) -> Bundle:
    """Return a product of random codes under one schedule."""
    m, k, n = _SHAPE
    a = encode(random_values((m, k), key), E4M3)
    b = encode(random_values((k, n), (key[0] + 1, key[1])), E4M3)
    d = gemm(a, b, _HOPPER, promote_every=schedule.promote_every, out=schedule.out)
    slow = _by_single_instructions(a, b, schedule.promote_every)
    _same(
        d, slow if schedule.out is None else encode(slow, schedule.out), schedule.name
    )
    spec: dict[str, Any] = {"instruction": _HOPPER, "schedule": schedule.name}
    spec["promote_every"] = schedule.promote_every
    spec["out"] = None if schedule.out is None else schedule.out.name
    tensors = Tensor("a", "in", a), Tensor("b", "in", b), Tensor("d", "out", d)
    return Bundle("gemm", spec, tensors)


def _by_single_instructions(
    a: npt.NDArray[Any], b: npt.NDArray[Any], promote_every: int | None
) -> npt.NDArray[np.float32]:
    """Return the product by one instruction after the other, and float32 additions."""
    zero = np.zeros((a.shape[0], b.shape[1]), np.float32)
    length = promote_every or a.shape[1]
    total = zero
    for start in range(0, a.shape[1], length):
        part = slice(start, start + length)
        chain = mma(a[:, part], b[part], zero, _HOPPER).astype(np.float32)
        total = chain if promote_every is None else total + chain
    return total


def _tensors(case: Case, d: npt.NDArray[Any]) -> tuple[Tensor, ...]:
    inputs = [Tensor("a", "in", case.a), Tensor("b", "in", case.b)]
    inputs.append(Tensor("c", "in", case.c))
    if case.scale_a is not None and case.scale_b is not None:
        inputs.append(Tensor("scale_a", "in", case.scale_a))
        inputs.append(Tensor("scale_b", "in", case.scale_b))
    return (*inputs, Tensor("d", "out", d))


def _same(one: npt.NDArray[Any], other: npt.NDArray[Any], what: str) -> None:
    """Raise unless two results have the same bits."""
    if one.tobytes() != other.tobytes():
        raise Disagreement(f"{what}: the readable model and the fast path differ")
