"""What a library does after the last partial sum: scale, add, round to the output.

All of it is float32 arithmetic rounded to nearest even, one operation after the other
and none fused, then one cast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.formats import Cast, Format, encode

__all__ = ["Epilogue"]

_Single = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Epilogue:
    """``cast(out_scale * (alpha * sum + beta * C + bias))``, each step in float32.

    Parameters
    ----------
    alpha, beta : float
        Factors of the sum and of C. With beta = 0, C is not read.
    out : Format or None
        Output format; None keeps float32.
    out_scale : float
        Factor applied before the cast.
    cast : Cast
        How the output is rounded.
    """

    alpha: float = 1.0
    beta: float = 0.0
    out: Format | None = None
    out_scale: float = 1.0
    cast: Cast = Cast()

    @property
    def is_plain(self) -> bool:
        """Whether the sum is the output."""
        return self == Epilogue(cast=self.cast)

    def apply(
        self, total: _Single, c: _Single | None, bias: _Single | None
    ) -> npt.NDArray[Any]:
        """Return float32 results, or codes of `out`."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            if self.alpha != 1:
                total = total * np.float32(self.alpha)
            if self.beta != 0 and c is not None:
                total = total + c * np.float32(self.beta)
            if bias is not None:
                total = total + bias
            if self.out_scale != 1:
                total = total * np.float32(self.out_scale)
        if self.out is None:
            return total
        return encode(total, self.out, self.cast)
