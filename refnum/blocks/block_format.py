"""The `BlockFormat` record: narrow elements that share a scale."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf

import numpy as np

from refnum._records import hashed_once
from refnum.blocks.rule import ScaleRule
from refnum.formats import Cast, Format

__all__ = ["BlockFormat", "TensorScale"]

_DEFAULT = Cast()
Block = int | tuple[int, int] | str


@dataclass(frozen=True)
class TensorScale:
    """A second scale above those of the blocks, in float32.

    Parameters
    ----------
    limit : float
        The block scale that the largest magnitude is mapped to (448 in NVFP4).
    span : str or int
        What shares it: ``"tensor"``, ``"row"`` (everything along the blocked axis), or
        a number of elements along the blocked axis.
    """

    limit: float
    span: str | int = "tensor"

    def __post_init__(self) -> None:
        if not 0 < self.limit < inf:
            raise ValueError(f"limit is {self.limit}; it must be positive and finite")
        if not _is_size(self.span) and self.span not in ("tensor", "row"):
            raise ValueError(f"span is {self.span!r}; tensor, row or a size is allowed")


@hashed_once
@dataclass(frozen=True)
class BlockFormat:
    """Narrow elements that share a scale: everything that fixes the bits.

    Parameters
    ----------
    element, scale : Format
        Formats of the codes and of the scales.
    block : int, tuple of two ints, or str
        Elements along the blocked axis that share a scale; or a tile, (other axis,
        blocked axis); or ``"row"`` for all along the blocked axis, ``"tensor"`` for all.
    rule : ScaleRule
        How a block's largest magnitude becomes a scale code.
    element_cast : Cast
        How scaled values become codes.
    tensor_scale : TensorScale, optional
        A second scale above those of the blocks.
    convention : str
        ``"decode"``: the scale multiplies codes. ``"encode"``: the scale that multiplied
        the values is stored, and dequantisation divides by it.
    prescale : float
        Head-room: values are multiplied by it after the scale is chosen, and
        dequantisation takes it back.
    alternate : Format, optional
        A second element format that a block may use instead; the scale's top bit says
        so.
    alternate_factor : float
        What the codes of `alternate` are multiplied by.
    levels : tuple of int
        Group sizes of one-bit exponents below the scale, from coarse to fine, each a
        multiple of the next; scale codes are then words that hold them too.
    name : str
        Its name in files and messages.

    Raises
    ------
    ValueError
        If the fields do not make a block format.

    References
    ----------
    OCP Microscaling Formats v1.0, sections 5 and 6.

    Examples
    --------
    >>> import refnum as rn
    >>> mxfp4 = rn.BlockFormat(rn.E2M1, rn.UE8M0, 32, rn.blocks.FLOOR)
    >>> rn.quantize([0.1] * 31 + [6.0], mxfp4).scales
    array([127], dtype=uint8)
    """

    element: Format
    scale: Format
    block: Block
    rule: ScaleRule
    element_cast: Cast = _DEFAULT
    tensor_scale: TensorScale | None = None
    convention: str = "decode"
    prescale: float = 1.0
    alternate: Format | None = None
    alternate_factor: float = 1.0
    levels: tuple[int, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        sizes = self.block if isinstance(self.block, tuple) else (self.block,)
        sized = all(_is_size(n) for n in sizes)
        tile = len(sizes) == 2 or not isinstance(self.block, tuple)
        if not (sized and tile) and self.block not in ("row", "tensor"):
            raise ValueError(
                f"block is {self.block!r}; a size, a pair of sizes, row or tensor is allowed"
            )
        if self.convention not in ("decode", "encode"):
            raise ValueError(f"convention is {self.convention!r}; decode or encode is")
        if not 0 < self.prescale < inf:
            raise ValueError(
                f"prescale is {self.prescale}; it must be positive and finite"
            )
        if self.alternate is not None and self.scale.bits != 7:
            raise ValueError(
                f"{self.scale.name} has no spare bit for an alternate format"
            )
        spans = self.tensor_scale is not None and self.tensor_scale.span != "tensor"
        if spans and not isinstance(self.block, int):
            raise ValueError(
                f"a block {self.block!r} takes a tensor scale of span tensor"
            )
        if self.levels:
            self._check_levels()

    def _check_levels(self) -> None:
        size = self.block if isinstance(self.block, int) else 0
        nested = size > 0 and all(
            _is_size(inner) and outer % inner == 0
            for outer, inner in pairwise((size, *self.levels))
        )
        if not nested or self.alternate is not None or self.rule.arithmetic.divides:
            raise ValueError(
                f"levels are {self.levels!r} in a block {self.block!r}; each must divide "
                "the size before, without alternate elements or division by the scale"
            )
        if self.scale.bits + sum(self._groups) > 32:
            raise ValueError(f"levels {self.levels!r} do not fit a word of 32 bits")

    @property
    def _groups(self) -> tuple[int, ...]:
        if not isinstance(self.block, int):
            return ()
        return tuple(self.block // size for size in self.levels)

    @property
    def scale_bits(self) -> int:
        """Width of a stored scale code, with its flag and the bits of all levels."""
        return self.scale.bits + (self.alternate is not None) + sum(self._groups)

    @property
    def scale_dtype(self) -> np.dtype[np.unsignedinteger]:
        """Smallest NumPy unsigned type that holds a stored scale code."""
        if self.scale_bits <= 8:
            return np.dtype(np.uint8)
        return np.dtype(np.uint16 if self.scale_bits <= 16 else np.uint32)

    @property
    def stored(self) -> BlockFormat:
        """The format that decodes the blocks: this one."""
        return self

    def __str__(self) -> str:
        return self.name or f"{self.element}/{self.scale}/{self.block}"


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
