"""Products as hardware accumulates them: exact, in fixed orders, and bit for bit."""

from refnum.products.catalog import INSTRUCTIONS, instruction
from refnum.products.gemm import gemm
from refnum.products.instruction import (
    Confirmation,
    Evidence,
    MatrixInstruction,
    Model,
    Order,
)
from refnum.products.kulisch import Window, kulisch_window
from refnum.products.matmul import (
    EXACT,
    FMA_CHAIN,
    PAIRWISE,
    SEQUENTIAL,
    Accumulator,
    matmul,
)
from refnum.products.mma import mma

__all__ = [
    "EXACT",
    "FMA_CHAIN",
    "INSTRUCTIONS",
    "PAIRWISE",
    "SEQUENTIAL",
    "Accumulator",
    "Confirmation",
    "Evidence",
    "MatrixInstruction",
    "Model",
    "Order",
    "Window",
    "gemm",
    "instruction",
    "kulisch_window",
    "matmul",
    "mma",
]
