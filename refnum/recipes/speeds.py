"""How fast a chip multiplies in each precision, relative to BF16."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from refnum.blocks import BlockFormat, ChosenFormat
from refnum.formats import Format

__all__ = ["IMPLIED_SPEEDS", "STATED_SPEEDS", "SpeedMap", "precision_of"]

PRECISIONS = ("bf16", "fp8", "fp6", "fp4")
_BITS = {4: "fp4", 6: "fp6", 9: "fp8"}


@dataclass(frozen=True)
class SpeedMap:
    """Speeds relative to BF16.

    Parameters
    ----------
    bf16, fp8, fp6, fp4 : float
        Of products whose wider operand has that many bits.
    elementwise : float
        Operations on single elements (a comparison, a multiplication, a rounding) in
        the time of one BF16 multiply-add of a matrix product. By default they cost
        nothing, as in papers; a chip has some 1/32.
    bandwidth : float
        Bytes moved in the time of one BF16 multiply-add; by default unlimited.

    Raises
    ------
    ValueError
        If a speed is not positive.
    """

    bf16: float = 1.0
    fp8: float = 2.0
    fp6: float = 2.0
    fp4: float = 4.0
    elementwise: float = inf
    bandwidth: float = inf

    def __post_init__(self) -> None:
        for name in (*PRECISIONS, "elementwise", "bandwidth"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; a speed is positive"
                )

    def of(self, precision: str) -> float:
        """Return the speed of a precision."""
        if precision not in PRECISIONS:
            raise ValueError(
                f"precision is {precision!r}; {', '.join(PRECISIONS)} are allowed"
            )
        return float(getattr(self, precision))


STATED_SPEEDS = SpeedMap()
"""FP8 twice and FP4 four times as fast as BF16, as data sheets say."""

IMPLIED_SPEEDS = SpeedMap(fp8=1.57, fp4=2.0)
"""The speeds that the cost table of arXiv 2502.11458 implies."""


def precision_of(*formats: BlockFormat | ChosenFormat | Format | None) -> str:
    """Return the precision of a product: that of its wider operand.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.recipes.speeds import precision_of
    >>> precision_of(rn.NVFP4, rn.MXFP8_E4M3), precision_of(rn.NVFP4, None)
    ('fp8', 'bf16')
    """
    bits = max(_bits(fmt) for fmt in formats)
    return next((name for limit, name in _BITS.items() if bits <= limit), "bf16")


def _bits(fmt: BlockFormat | ChosenFormat | Format | None) -> int:
    if fmt is None:
        return 16
    if isinstance(fmt, Format):
        return fmt.bits
    return fmt.stored.element.bits
