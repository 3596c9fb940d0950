"""The instruction table's rows of AMD, Intel and Arm."""

from __future__ import annotations

from collections.abc import Iterator

from refnum.formats import (
    BF16,
    E4M3FNUZ,
    E5M2FNUZ,
    FP16,
    FP32,
    TF32,
    Format,
    Rounding,
)
from refnum.products.instruction import (
    MMASIM,
    Confirmation,
    Evidence,
    MatrixInstruction,
    Model,
    Order,
)

__all__ = ["amd_rows", "processor_rows"]

_INTEL = Evidence(Confirmation.DOCUMENTED, "Intel 64 and IA-32 SDM, volume 2")
_ARM = Evidence(Confirmation.DOCUMENTED, "Arm Architecture Reference Manual, A-profile")
_FNUZ = (E4M3FNUZ, E5M2FNUZ)


def amd_rows() -> Iterator[MatrixInstruction]:
    """Yield the MFMA instructions of CDNA1, CDNA2 and CDNA3."""
    for arch in ("gfx908", "gfx90a", "gfx942"):
        yield _row(arch, "mfma", FP32, FP32, Model.FMA, k=4, terms=1)
    exact, flushed, tree = Model.EXACT_STEP, Model.FLUSHED, Model.TREE
    yield _row("gfx908", "mfma", FP16, FP16, exact, k=16, terms=4)
    yield _row("gfx908", "mfma", BF16, BF16, exact, k=8, terms=2)
    yield _row("gfx90a", "mfma", FP16, FP16, flushed, k=16, terms=4)
    yield _row("gfx90a", "mfma", BF16, BF16, flushed, k=8, terms=2)
    yield _row("gfx90a", "mfma_1k", BF16, BF16, flushed, k=16, terms=4)
    yield _row("gfx942", "mfma", FP16, FP16, tree, k=16, terms=8, bits=24)
    yield _row("gfx942", "mfma", BF16, BF16, tree, k=16, terms=8, bits=24)
    yield _row("gfx942", "mfma", TF32, TF32, tree, k=8, terms=4, bits=24)
    for a in _FNUZ:
        for b in _FNUZ:
            split = Model.SPLIT_TREE
            yield _row("gfx942", "mfma", a, b, split, k=32, terms=16, bits=24)


def processor_rows() -> Iterator[MatrixInstruction]:
    """Yield the dot and tile instructions of x86 and Arm processors."""
    chain, paired, odd = Model.FLUSHED_FMA, Model.PAIRED_FMA, Model.ODD_PAIR
    for op, fmt, model, terms, order, source in (
        ("vdpbf16ps", BF16, chain, 2, Order.ODD_FIRST, _INTEL),
        ("tdpbf16ps", BF16, paired, 32, Order.EVEN_THEN_ODD, _INTEL),
        ("tdpfp16ps", FP16, paired, 32, Order.EVEN_THEN_ODD, _INTEL),
        ("bfdot", BF16, odd, 2, Order.CONSECUTIVE, _ARM),
        ("bfmmla", BF16, odd, 2, Order.CONSECUTIVE, _ARM),
    ):
        arch = "arm" if source is _ARM else "x86"
        k = 4 if op == "bfmmla" else terms
        shape = {"k": k, "terms": terms}
        yield _row(arch, op, fmt, fmt, model, **shape, order=order, evidence=source)


def _row(
    arch: str,
    op: str,
    a: Format,
    b: Format,
    model: Model,
    *,
    k: int,
    terms: int,
    bits: int | None = None,
    order: Order = Order.CONSECUTIVE,
    evidence: Evidence = MMASIM,
) -> MatrixInstruction:
    """Return a row with float32 results and no exponent for zeros."""
    to_odd = model is Model.ODD_PAIR
    return MatrixInstruction(
        arch=arch,
        op=op,
        a=a,
        b=b,
        d=FP32,
        model=model,
        k=k,
        terms=terms,
        alignment_bits=bits,
        zero_exponent=None,
        rounding=Rounding.TO_ODD if to_odd else Rounding.NEAREST_EVEN,
        fraction_bits=FP32.mantissa_bits,
        order=order,
        evidence=evidence,
    )
