"""How far apart two tensors are, and where codes pile up."""

from refnum.metrics.codes import (
    code_histogram,
    saturated_share,
    subnormal_share,
    zero_share,
)
from refnum.metrics.errors import (
    effective_bits,
    misalignment,
    relative_mse,
    slope,
    sqnr,
)

__all__ = [
    "code_histogram",
    "effective_bits",
    "misalignment",
    "relative_mse",
    "saturated_share",
    "slope",
    "sqnr",
    "subnormal_share",
    "zero_share",
]
