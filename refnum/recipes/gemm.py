"""`Gemm`: how one of the three products adds up, and what its result goes through."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from refnum.formats import Format
from refnum.products import Accumulator, MatrixInstruction, instruction

__all__ = ["Gemm", "KernelSchedule"]


@dataclass(frozen=True)
class KernelSchedule:
    """A chain of matrix instructions, as `refnum.gemm` runs it.

    Parameters
    ----------
    instruction : MatrixInstruction or str
        The instruction or its name.
    promote_every : int, optional
        Products after which the chain is added to a float32 total.
    split_k : int
        Slices of the reduction.
    """

    instruction: MatrixInstruction | str
    promote_every: int | None = None
    split_k: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.instruction, str):
            object.__setattr__(self, "instruction", instruction(self.instruction))
        if not isinstance(self.instruction, MatrixInstruction):
            raise TypeError(f"no matrix instruction: {self.instruction!r}")
        if self.split_k < 1 or (self.promote_every or 1) < 1:
            raise ValueError(
                f"promote_every={self.promote_every} and split_k={self.split_k} must "
                "be positive"
            )

    @property
    def op(self) -> MatrixInstruction:
        """The instruction's record."""
        assert isinstance(self.instruction, MatrixInstruction)
        return self.instruction

    def __str__(self) -> str:
        promoted = (
            f", promoted every {self.promote_every}" if self.promote_every else ""
        )
        split = f", split in {self.split_k}" if self.split_k > 1 else ""
        return f"{self.op.name}{promoted}{split}"


@dataclass(frozen=True)
class Gemm:
    """One product of a linear layer, apart from its operands.

    Parameters
    ----------
    accumulate : Accumulator, KernelSchedule, MatrixInstruction, str or None
        How products add up: a defined order of the operands' float32 values, a chain
        of matrix instructions of their codes, or the name of an instruction. None
        leaves it to the numerics that the model runs under.
    correction : float
        What the result is multiplied by: it takes back the operands' prescales.
    output : Format, optional
        What the result is rounded to, float32 without.

    Raises
    ------
    ValueError
        If a name is unknown or the correction is not positive and finite.
    """

    accumulate: Accumulator | KernelSchedule | MatrixInstruction | str | None = None
    correction: float = 1.0
    output: Format | None = None

    def __post_init__(self) -> None:
        chosen = self.accumulate
        if isinstance(chosen, str | MatrixInstruction):
            object.__setattr__(self, "accumulate", KernelSchedule(chosen))
        elif not isinstance(chosen, Accumulator | KernelSchedule | None):
            raise TypeError(
                "accumulate must be an accumulator, an instruction or a schedule, "
                f"not {chosen!r}"
            )
        if not 0 < self.correction < inf:
            raise ValueError(
                f"correction is {self.correction}; it must be positive and finite"
            )

    @property
    def kernel(self) -> KernelSchedule | None:
        """The schedule of instructions, if there is one."""
        return self.accumulate if isinstance(self.accumulate, KernelSchedule) else None

    @property
    def accumulator(self) -> Accumulator | None:
        """The order of float32 additions, if there is one."""
        return self.accumulate if isinstance(self.accumulate, Accumulator) else None

    def __str__(self) -> str:
        chosen = self.accumulator.value if self.accumulator else self.kernel
        parts = [str(chosen)] if chosen else []
        if self.correction != 1:
            parts.append(f"result times {self.correction:g}")
        if self.output is not None:
            parts.append(f"result in {self.output}")
        return ", ".join(parts) or "as the numerics say"
