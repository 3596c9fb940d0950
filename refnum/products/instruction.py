"""The `MatrixInstruction` record: the facts that fix every bit of one instruction.

Vocabulary. A *step* is the smallest sum that the hardware does at once: `terms`
products and the accumulator C. An instruction chains steps over its k. A *term* is
a product or C; the alignment of terms discards what lies more than
`alignment_bits` below the largest exponent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from refnum.formats import BF16, FP16, FP32, TF32, Format, Rounding

__all__ = [
    "MMASIM",
    "Confirmation",
    "Evidence",
    "MatrixInstruction",
    "Model",
    "Order",
]

# As PTX writes the wide types; every other format goes by its own name.
_PTX_NAMES = {FP32: "f32", TF32: "tf32", FP16: "f16", BF16: "bf16"}


class Model(Enum):
    """How one step turns products and C into D. The functions are in `models`."""

    FUSED = "fused"
    """All terms aligned to the largest, truncated, summed exactly (NVIDIA)."""
    SCALED = "scaled"
    """FUSED, with the scales' exponents added to those of the products."""
    GROUPED = "grouped"
    """Exact dot products of 16 terms, scaled, then aligned and truncated with C."""
    EMULATED = "emulated"
    """Two FUSED steps of FP16 from zero, then C by an ordinary addition."""
    TREE = "tree"
    """Products aligned and truncated, then floored with C, one rounding (CDNA3)."""
    SPLIT_TREE = "split tree"
    """TREE with the even and the odd k summed apart (CDNA3, 8 bits)."""
    FLUSHED = "flushed"
    """float32 products and pairwise sums that flush subnormals (CDNA2)."""
    EXACT_STEP = "exact step"
    """The exact sum of the products and C, rounded once (CDNA1)."""
    FMA = "fma"
    """One IEEE fused multiply-add after the other."""
    FLUSHED_FMA = "flushed fma"
    """FMA that reads subnormals as zero and writes zero for them (x86 BF16)."""
    PAIRED_FMA = "paired fma"
    """Two flushed FMA chains, of even and of odd k, added at the end (AMX)."""
    ODD_PAIR = "odd pair"
    """Sums of two products, every operation rounded to odd (Arm BFDOT)."""


class Order(Enum):
    """Which k of an instruction meet in one step."""

    CONSECUTIVE = "consecutive"
    """Step t takes k from t * terms on."""
    PAIRS = "pairs"
    """Of each 32 k, first those with k % 4 in {0, 1}, then the others."""
    ODD_FIRST = "odd first"
    """Of each two k, the odd one first."""
    EVEN_THEN_ODD = "even then odd"
    """All even k in one chain, all odd k in another."""


class Confirmation(Enum):
    """What stands behind a row of the table, the strongest first."""

    HARDWARE = "hardware"
    """Results captured on a chip equal the model's, bit for bit."""
    MODEL = "model"
    """An independent, published model gives the same bits."""
    DOCUMENTED = "documented"
    """The vendor's manual defines the operation."""
    INFERRED = "inferred"
    """The rule of a confirmed neighbour, with other operand types."""


@dataclass(frozen=True)
class Evidence:
    """Why a row of the instruction table is believed.

    Parameters
    ----------
    confirmation : Confirmation
        How strong the evidence is.
    source : str
        The chip and the file of its captures, the published model, or the manual.
    """

    confirmation: Confirmation
    source: str

    def __str__(self) -> str:
        return f"{self.confirmation.value}: {self.source}"


MMASIM = Evidence(Confirmation.MODEL, "mmasim 2.1.1 (Xie et al., arXiv 2511.10909)")


@dataclass(frozen=True)
class MatrixInstruction:
    """All that decides the bits of one matrix instruction.

    Parameters
    ----------
    arch, op : str
        Architecture (``sm90``, ``gfx942``) and operation (``wgmma``, ``mfma``).
    a, b, d : Format
        What the codes of A and B mean, and the type of C and D.
    model : Model
        The arithmetic of one step.
    k : int
        Products per output of one instruction (its largest shape).
    terms : int
        Products per step.
    alignment_bits : int or None
        Fraction bits kept below the largest exponent of a step.
    zero_exponent : int or None
        Exponent that a zero term takes part with.
    rounding : Rounding
        From the exact sum of a step to D.
    fraction_bits : int
        Fraction bits of the result; the wider D is padded with zeros.
    order : Order
        Which k meet in one step.
    evidence : Evidence
        Why this row is believed.
    kind : str
        PTX ``.kind``, and the block size where a kind has two.
    scale : Format or None
        What the codes of block scales mean.
    block : int or None
        Elements along k that share a scale.

    Examples
    --------
    >>> from refnum.products import instruction
    >>> hopper = instruction("sm90.wgmma.e4m3.e4m3.f32")
    >>> hopper.terms, hopper.alignment_bits, hopper.fraction_bits
    (32, 13, 13)
    >>> hopper.evidence.confirmation.value
    'hardware'
    """

    arch: str
    op: str
    a: Format
    b: Format
    d: Format
    model: Model
    k: int
    terms: int
    alignment_bits: int | None
    zero_exponent: int | None
    rounding: Rounding
    fraction_bits: int
    order: Order
    evidence: Evidence
    kind: str = ""
    scale: Format | None = None
    block: int | None = None

    @property
    def name(self) -> str:
        """``arch.op.a.b.d``; the 4-bit kinds put ``kind.scale`` for ``a.b``."""
        operands = [_ptx_name(self.a), _ptx_name(self.b)]
        if self.model is Model.GROUPED and self.scale is not None:
            operands = [self.scale.name]
        kind = [self.kind] if self.kind else []
        return ".".join([self.arch, self.op, *kind, *operands, _ptx_name(self.d)])

    @property
    def nan_code(self) -> int | None:
        """Code of the NaN that the instruction writes."""
        nvidia = self.arch.startswith("sm")
        return self.d.nan_code if nvidia else self.d.quiet_nan_code

    def __str__(self) -> str:
        return self.name


def _ptx_name(fmt: Format) -> str:
    return _PTX_NAMES.get(fmt, fmt.name)
