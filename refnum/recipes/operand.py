"""`Operand`: how one operand of a product is rounded, and what it is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

from refnum.blocks import BlockFormat, ChosenFormat, block_format
from refnum.blocks import names as block_names
from refnum.formats import Cast, Format
from refnum.formats import format as element_format
from refnum.recipes.details import Amax, Fallback, Outliers
from refnum.recipes.rotation import Rotation
from refnum.recipes.slopes import Slope

__all__ = ["SOURCES", "AnyFormat", "Operand"]

AnyFormat = BlockFormat | ChosenFormat | Format
SOURCES = ("original", "forward", "codes")
_CURRENT, _STRAIGHT_THROUGH = Amax(), Slope()


@dataclass(frozen=True)
class Operand:
    """How one operand is made.

    Parameters
    ----------
    format : BlockFormat, ChosenFormat, Format, str or None
        What it is quantised to, or its name: a block format, or a plain format
        without scales, such as BF16. None leaves the values as they are.
    cast : Cast, optional
        How scaled values become codes, in place of the format's own cast; its
        `random_bits` say how many bits a stochastic rounding draws.
    rotation : Rotation, optional
        What comes before; both operands of a product have the same.
    source : str
        ``"original"``: the array itself. ``"forward"``: the values of the forward
        pass's copy, quantised a second time (double quantisation), or used as they
        are where `format` is None. ``"codes"``: the codes and scales of the forward
        pass, as scales of square tiles allow.
    prescale : float
        Values are multiplied by it once their scale is chosen; nothing takes it back
        but the correction of the product.
    eden : bool
        Whether scales are corrected and rounded stochastically, and codes are not:
        `refnum.blocks.eden`, over groups of the rotation's size.
    amax : Amax
        Where the largest magnitude under the tensor scale comes from, or under the one
        scale of a tensor without blocks.
    slope : Slope
        What the gradient is multiplied by on its way back through the rounding; in
        roles of the forward pass alone.
    outliers : Outliers, optional
        Which values are clamped, and what becomes of the rest.
    fallback : Fallback, optional
        What takes over where the error is too large.
    average : float
        Decay of a moving average of the weight that `fprop_w` is rounded towards
        (Q-EMA); 0 rounds to nearest.

    Raises
    ------
    ValueError
        If a name is unknown, or the fields contradict each other.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.recipes import Operand, Rotation
    >>> sr = rn.Cast(rn.Rounding.STOCHASTIC_A, random_bits=8)
    >>> str(Operand("nvfp4", cast=sr, rotation=Rotation(16, "step")))
    'nvfp4 stochastic_a 8 bits, H16 step signs'
    """

    format: AnyFormat | str | None
    cast: Cast | None = None
    rotation: Rotation | None = None
    source: str = "original"
    prescale: float = 1.0
    eden: bool = False
    amax: Amax = _CURRENT
    slope: Slope = _STRAIGHT_THROUGH
    outliers: Outliers | None = None
    fallback: Fallback | None = None
    average: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.format, str):
            object.__setattr__(self, "format", _format_of(self.format))
        if not isinstance(self.format, AnyFormat | None):
            raise TypeError(f"format must be a format or its name, not {self.format!r}")
        if self.source not in SOURCES:
            raise ValueError(
                f"source is {self.source!r}; {', '.join(SOURCES)} are allowed"
            )
        if not 0 < self.prescale < inf:
            raise ValueError(
                f"prescale is {self.prescale}; it must be positive and finite"
            )
        if not 0 <= self.average < 1:
            raise ValueError(f"average is {self.average}; from 0 to below 1 is allowed")
        if self.format is None:
            self._check_unquantised()
        if self.source == "codes" and (self.format or self.rotation):
            raise ValueError(
                "source is 'codes', which brings the forward pass's format and no "
                "rotation: leave out both"
            )
        if self.eden:
            self._check_eden()
        if self.amax.kind != "current" and not self._has_tensor_scale:
            raise ValueError(
                f"{self.format} has no tensor scale, so its amax cannot be "
                f"{self.amax.kind}; a format with a tensor scale, or one scale for the "
                "tensor, is needed"
            )

    def _check_unquantised(self) -> None:
        for field in ("cast", "eden", "outliers", "fallback", "average"):
            if getattr(self, field):
                raise ValueError(f"{field} has no meaning without a format")
        if self.prescale != 1:
            raise ValueError("prescale has no meaning without a format")

    def _check_eden(self) -> None:
        fmt, rotation = self.format, self.rotation
        if rotation is None:
            raise ValueError("eden needs a rotation, whose runs share a correction")
        size = fmt.block if isinstance(fmt, BlockFormat) else None
        if not isinstance(size, int) or rotation.size % size:
            raise ValueError(
                f"eden in {fmt} with {rotation}: it needs a block format whose block "
                "along one axis divides the rotation's size"
            )
        if self.is_stochastic or self.prescale != 1:
            raise ValueError("eden rounds codes to nearest, without cast and prescale")

    @property
    def _has_tensor_scale(self) -> bool:
        fmt = self.format
        if isinstance(fmt, ChosenFormat):
            fmt = fmt.stored
        if not isinstance(fmt, BlockFormat):
            return False
        return fmt.tensor_scale is not None or fmt.block == "tensor"

    @cached_property
    def block_format(self) -> BlockFormat | ChosenFormat | None:
        """The block format with the cast of this operand in it."""
        fmt, cast = self.format, self.cast
        if isinstance(fmt, Format) or fmt is None or isinstance(fmt, str):
            return None
        if isinstance(fmt, ChosenFormat):
            if cast is None:
                return fmt
            made = tuple(replace(c, element_cast=cast) for c in fmt.candidates)
            return replace(fmt, candidates=made)
        if self.prescale != 1:
            fmt = replace(fmt, prescale=fmt.prescale * self.prescale)
        return fmt if cast is None else replace(fmt, element_cast=cast)

    @cached_property
    def element_cast(self) -> Cast:
        """The cast of elements, of the format or in place of its own."""
        if self.cast is not None:
            return self.cast
        fmt = self.format
        if isinstance(fmt, ChosenFormat):
            return fmt.candidates[0].element_cast
        return fmt.element_cast if isinstance(fmt, BlockFormat) else Cast()

    @cached_property
    def is_stochastic(self) -> bool:
        """Whether rounding elements draws random bits."""
        return self.format is not None and self.element_cast.rounding.is_stochastic

    @cached_property
    def block(self) -> tuple[int, int] | str | None:
        """(Elements across, elements along the axis) of a block; or row, tensor, None."""
        fmt = self.format
        if isinstance(fmt, ChosenFormat):
            fmt = fmt.stored
        if not isinstance(fmt, BlockFormat):
            return None
        return (1, fmt.block) if isinstance(fmt.block, int) else fmt.block

    @cached_property
    def is_axis_free(self) -> bool:
        """Whether codes and scales are the same along either axis."""
        square = isinstance(self.block, tuple) and self.block[0] == self.block[1]
        return square or self.block in ("tensor", None)

    def __str__(self) -> str:
        if self.source == "codes":
            return "codes of the forward pass"
        words = "unquantised" if self.format is None else str(self.format)
        if self.eden:
            words += " eden"
        elif self.is_stochastic:
            cast = self.element_cast
            words += f" {cast.rounding.value} {cast.random_bits} bits"
        parts = [words]
        if self.rotation is not None:
            parts.append(str(self.rotation))
        if self.prescale != 1:
            parts.append(f"times {self.prescale:g}")
        if self.source == "forward":
            parts.append("from the forward copy")
        if self.average:
            parts.append(f"towards an average of decay {self.average:g}")
        details = self.amax, self.slope, self.outliers, self.fallback
        parts += [str(detail) for detail in details if detail and str(detail)]
        return ", ".join(parts)


def _format_of(name: str) -> AnyFormat:
    """Return the block format of that name, or the plain format."""
    if name.lower().replace("-", "_") in block_names():
        return block_format(name)
    try:
        return element_format(name)
    except ValueError:
        return block_format(name)  # its message lists near names
