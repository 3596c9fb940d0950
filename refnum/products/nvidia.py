"""The instruction table's rows of NVIDIA's tensor cores.

Two rules give almost all numbers. A step takes 8 bytes (Volta), 16 (Turing to Ada) or
32 (Hopper on) of each operand, and keeps 23, 24 or 25 bits below its largest term; the
8-bit paths of Ada and Hopper keep 13. A zero term takes part with an exponent 5 (Volta),
6 or 7 below that of the smallest normal number of D, 13 below in the 4-bit kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from refnum.formats import (
    BF16,
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    FP16,
    FP32,
    TF32,
    UE4M3,
    UE8M0,
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

__all__ = ["nvidia_rows"]

_VECTORS = "vectors of Khattak and Mikaitis, arXiv 2512.07004"
_CAPTURES = "golden/hardware/h100"
_BELOW = {23: 5, 24: 6, 25: 7, 13: 7, 35: 13}  # of a zero, under D's smallest normal
_FP8 = (E4M3, E5M2)
_F8F6F4 = (E4M3, E5M2, E3M2, E2M3, E2M1)
_WIDE = (FP16, BF16, TF32)


@dataclass(frozen=True)
class _Path:
    """One data path: what its instructions have in common."""

    arch: str
    op: str
    step_bytes: int
    bits: int
    evidence: Evidence
    k: int = 0  # of an instruction of 16-bit operands, where it is not 16
    below: int = 0  # where `_BELOW` does not say it

    def row(
        self, a: Format, b: Format, d: Format, bytes_each: int
    ) -> MatrixInstruction:
        """Return the FUSED instruction of these types."""
        narrow = d == FP16
        fraction = 13 if self.bits == 13 and not narrow else d.mantissa_bits
        terms = self.step_bytes // bytes_each
        return MatrixInstruction(
            arch=self.arch,
            op=self.op,
            a=a,
            b=b,
            d=d,
            model=Model.FUSED,
            k=self.k or 32 // bytes_each,
            terms=terms,
            alignment_bits=self.bits,
            zero_exponent=d.emin - (self.below or _BELOW[self.bits]),
            rounding=Rounding.NEAREST_EVEN if narrow else Rounding.TOWARD_ZERO,
            fraction_bits=fraction,
            order=Order.CONSECUTIVE,
            evidence=self.evidence,
        )


def nvidia_rows() -> Iterator[MatrixInstruction]:
    """Yield all rows, oldest architecture first."""
    yield from _wide(_Path("sm70", "mma", 8, 23, _measured("V100"), k=4), (FP16,))
    yield from _wide(_Path("sm75", "mma_m8n8k4", 8, 23, MMASIM, k=4), (FP16,))
    yield from _wide(_Path("sm75", "mma", 16, 24, MMASIM, k=8), (FP16,))
    yield from _wide(_Path("sm80", "mma", 16, 24, _measured("A100")), _WIDE)
    yield from _wide(_Path("sm86", "mma", 16, 24, _measured("A2")), _WIDE)
    ada = _measured("Ada RTX 1000 and L40S")
    yield from _wide(_Path("sm89", "mma", 16, 24, ada), _WIDE)
    yield from _narrow(_Path("sm89", "mma", 16, 13, ada, below=6), _FP8, MMASIM)
    yield from _hopper()
    yield from _blackwell()


def _hopper() -> Iterator[MatrixInstruction]:
    """Yield sm90: native FP8 in `wgmma`, emulated FP8 in `mma`."""
    wgmma = _measured("H100", f"{_CAPTURES}/wgmma.npz")
    mma = _measured("H100", f"{_CAPTURES}/mma.npz")
    yield from _wide(_Path("sm90", "mma", 32, 25, mma), _WIDE)
    yield from _wide(_Path("sm90", "wgmma", 32, 25, wgmma), _WIDE)
    for row in _narrow(_Path("sm90", "wgmma", 32, 13, wgmma), _FP8, wgmma):
        unseen = row.d == FP16 and row.a != row.b
        yield replace(row, evidence=MMASIM) if unseen else row
    seen = {(E4M3, E4M3, FP32), (E5M2, E5M2, FP32), (E4M3, E5M2, FP32)}
    seen.add((E4M3, E4M3, FP16))
    for row in _emulated("sm90", mma):
        if (row.a, row.b, row.d) in seen:
            yield row
        elif row.a == row.b:
            yield replace(row, evidence=_measured("H100"))
        else:
            yield replace(row, evidence=_inferred("sm90.mma.e4m3.e5m2.f32"))


def _blackwell() -> Iterator[MatrixInstruction]:
    """Yield sm100 and sm120: FP8 `mma` is emulated on sm100, native on sm120."""
    yield from _wide(_Path("sm100", "mma", 32, 25, _measured("B200")), _WIDE)
    for row in _emulated("sm100", _measured("B200")):
        mixed = _inferred("sm100.mma.e4m3.e4m3.f32")
        yield row if row.a == row.b else replace(row, evidence=mixed)
    for arch, op in (("sm100", "tcgen05"), ("sm120", "mma")):
        path = _Path(arch, op, 32, 25, MMASIM)
        yield from _wide(path, _WIDE)
        yield from _narrow(path, _F8F6F4, MMASIM)
        yield from _block_scaled(path)


def _wide(path: _Path, types: tuple[Format, ...]) -> Iterator[MatrixInstruction]:
    """Yield the rows of 16-bit and TF32 operands."""
    for fmt in types:
        for d in (FP32, FP16) if fmt == FP16 else (FP32,):
            yield path.row(fmt, fmt, d, 4 if fmt == TF32 else 2)


def _narrow(
    path: _Path, types: tuple[Format, ...], mixed: Evidence
) -> Iterator[MatrixInstruction]:
    """Yield the rows of operands of a byte and less, all pairs of types."""
    for d in (FP32, FP16):
        for a in types:
            for b in types:
                row = path.row(a, b, d, 1)
                yield row if a == b else replace(row, evidence=mixed)


def _emulated(arch: str, evidence: Evidence) -> Iterator[MatrixInstruction]:
    """Yield FP8 `mma` where the chip has only the FP16 path for it."""
    for row in _narrow(_Path(arch, "mma", 16, 25, evidence), _FP8, evidence):
        yield replace(row, model=Model.EMULATED, order=Order.PAIRS)


def _block_scaled(path: _Path) -> Iterator[MatrixInstruction]:
    """Yield the kinds whose operands carry block scales."""
    for a in _F8F6F4:
        for b in _F8F6F4:
            row = path.row(a, b, FP32, 1)
            scaled = {"model": Model.SCALED, "kind": "mxf8f6f4"}
            yield replace(row, **scaled, scale=UE8M0, block=32)  # type: ignore[arg-type]
    for kind, scale, block in (
        ("mxf4", UE8M0, 32),
        ("mxf4nvf4", UE4M3, 16),
        ("mxf4nvf4", UE8M0, 16),
        ("mxf4nvf4.block32", UE8M0, 32),
    ):
        grouped = replace(path, bits=35, step_bytes=64, k=64)
        row = grouped.row(E2M1, E2M1, FP32, 1)
        facts = {"model": Model.GROUPED, "kind": kind}
        yield replace(row, **facts, scale=scale, block=block)  # type: ignore[arg-type]


def _measured(chip: str, source: str = _VECTORS) -> Evidence:
    return Evidence(Confirmation.HARDWARE, f"{chip}, {source}")


def _inferred(name: str) -> Evidence:
    return Evidence(Confirmation.INFERRED, f"from {name}")
