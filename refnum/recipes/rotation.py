"""`Rotation`: the Hadamard rotation of an operand along the axis of reduction.

Both operands of a product are rotated alike, run by run, and the product of the
rotated operands is that of the plain ones. The rotation spreads outliers over a run
before blocks are scaled.
"""

from __future__ import annotations

from dataclasses import dataclass

from refnum.blocks import hadamard_signs
from refnum.formats import Format

__all__ = ["SIGNS", "Rotation"]

SIGNS = ("none", "transformer_engine", "fixed", "step")
_SIZES = tuple(1 << k for k in range(1, 11))
_ORDERS = ("signs_first", "signs_last")
_ARITHMETICS = ("exact", "butterfly", "sequential")


@dataclass(frozen=True)
class Rotation:
    """How an operand is rotated before it is quantised.

    Parameters
    ----------
    size : int
        Elements of a run, a power of two from 2 to 1024.
    signs : str
        ``"none"``: the plain Hadamard matrix; ``"transformer_engine"``: its fixed
        vector of 16; ``"fixed"``: drawn once for each layer and product; ``"step"``:
        drawn anew each time.
    order : str
        ``"signs_first"``, x·D·H, or ``"signs_last"``, x·H·D.
    arithmetic : str
        ``"exact"``, ``"butterfly"`` or ``"sequential"``, as `refnum.blocks.hadamard`
        has them.
    output : Format, optional
        What the rotated values are rounded to, float32 without.

    Raises
    ------
    ValueError
        If a field is none of these.

    Examples
    --------
    >>> from refnum.recipes import Rotation
    >>> str(Rotation(16, "step"))
    'H16 step signs'
    """

    size: int
    signs: str = "none"
    order: str = "signs_first"
    arithmetic: str = "exact"
    output: Format | None = None

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or self.size not in _SIZES:
            raise ValueError(
                f"size is {self.size!r}; a power of two from 2 to 1024 is allowed"
            )
        for field, allowed in (
            ("signs", SIGNS),
            ("order", _ORDERS),
            ("arithmetic", _ARITHMETICS),
        ):
            if (value := getattr(self, field)) not in allowed:
                raise ValueError(f"{field} is {value!r}; {', '.join(allowed)} are")
        if self.signs == "transformer_engine" and self.size != len(hadamard_signs()):
            raise ValueError(
                f"Transformer Engine's signs are {len(hadamard_signs())}, "
                f"not {self.size}"
            )

    @property
    def is_random(self) -> bool:
        """Whether the signs are drawn from a layer's stream."""
        return self.signs in ("fixed", "step")

    def __str__(self) -> str:
        signs = "" if self.signs == "none" else f" {self.signs} signs"
        return f"H{self.size}{signs}"
