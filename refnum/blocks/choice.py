"""Encodings chosen by error: of several ways to encode a block, the best one.

A *candidate* is a `BlockFormat`. Each block is encoded by all candidates and keeps
the encoding of least error, the first of them where several are as good. What is
stored looks the same whichever candidate won: one `BlockFormat` decodes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.coding import chunks, encode_chunk
from refnum.blocks.geometry import Geometry
from refnum.blocks.measures import Encoded, Measure, errors
from refnum.blocks.outer import block_references, per_block, tensor_scale
from refnum.blocks.scaling import Codes, Singles, scale_values, split_flags
from refnum.formats import decode

__all__ = ["ChosenFormat", "choose_blocks"]

_CHUNK = 1 << 17  # elements; the buffers of two candidates stay in L2
_MEASURE = Measure()


@dataclass(frozen=True)
class ChosenFormat:
    """Candidates of which every block takes the one with the least error.

    Parameters
    ----------
    candidates : tuple of BlockFormat
        Two or more, in order of preference. One with alternate elements encodes in
        these, and its blocks carry the flag.
    measure : Measure
        What the error is.
    name : str
        Its name in files and messages.

    Raises
    ------
    ValueError
        If the candidates do not share what decodes them.

    Notes
    -----
    Candidates may differ in the value that the largest magnitude maps to, in the rule
    around it, in casts, and in the use of alternate elements.

    Examples
    --------
    >>> import refnum as rn
    >>> x = [3.0] * 15 + [4.0]
    >>> plain = rn.quantize(x, rn.NVFP4)
    >>> chosen = rn.quantize(x, rn.blocks.NVFP4_FOUR_OVER_SIX)
    >>> rn.dequantize(plain)[0].item(), rn.dequantize(chosen)[0].item()
    (2.6666667461395264, 3.0)
    """

    candidates: tuple[BlockFormat, ...]
    measure: Measure = _MEASURE
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.candidates) < 2:
            raise ValueError(
                f"{len(self.candidates)} candidates; two or more are needed"
            )
        for one, other in pairwise(self._decoders):
            differing = [k for k, v in one.items() if other[k] != v]
            if differing:
                raise ValueError(
                    f"candidates differ in {', '.join(differing)}; one format must "
                    "decode all of them"
                )
        flagged = {(c.alternate, c.alternate_factor) for c in self._flagged}
        if len(flagged) > 1:
            raise ValueError("candidates have different alternate elements; one is")
        stored = self.candidates[0]
        if stored.levels:
            raise ValueError(f"{stored} has levels, between which there is no choice")
        if self.measure.order == "transformer_engine" and not stored.tensor_scale:
            raise ValueError(f"{stored} has no tensor scale, which this order needs")
        if self.measure.order == "quartet_ii" and stored.block != 16:
            raise ValueError(f"a block {stored.block!r} has no such order; 16 has")

    def __str__(self) -> str:
        return self.name or " or ".join(map(str, self.candidates))

    @property
    def stored(self) -> BlockFormat:
        """The format that decodes the blocks, whichever candidate encoded them."""
        first = replace(self.candidates[0], name=str(self))
        for one in self._flagged[:1]:
            return replace(
                first, alternate=one.alternate, alternate_factor=one.alternate_factor
            )
        return first

    @property
    def _flagged(self) -> tuple[BlockFormat, ...]:
        return tuple(c for c in self.candidates if c.alternate is not None)

    @property
    def _decoders(self) -> list[dict[str, object]]:
        return [_what_decodes(candidate) for candidate in self.candidates]


def _what_decodes(fmt: BlockFormat) -> dict[str, object]:
    outer = fmt.tensor_scale
    top = outer.limit * fmt.rule.unit_of(fmt.element) if outer else None
    return {
        "element": fmt.element,
        "scale": fmt.scale,
        "block": fmt.block,
        "convention": fmt.convention,
        "prescale": fmt.prescale,
        "levels": fmt.levels,
        "span": outer.span if outer else None,
        "limit * unit": top,
        "combination of scales": fmt.rule.arithmetic.combines,
    }


def choose_blocks(
    blocks: Singles,
    amax: Singles | None,
    geometry: Geometry,
    fmt: ChosenFormat,
    random: npt.NDArray[Any] | None,
) -> tuple[Codes, Codes]:
    """Return the codes and the scale codes of all blocks of an array.

    Parameters
    ----------
    blocks : ndarray of float32, shape (count, size)
        The block view of the array.
    amax : ndarray of float32, optional
        The largest magnitudes above the blocks.
    random : ndarray of unsigned integers, shape (count, size), optional
        Random bits of the elements, the same for every candidate.
    """
    stored = fmt.stored
    codes = np.empty(blocks.shape, stored.element.dtype)
    scales = np.empty(len(blocks), stored.scale_dtype)
    above = [_Above.of(amax, geometry, candidate) for candidate in fmt.candidates]
    for part in chunks(blocks, _CHUNK):
        chunk = blocks[part]
        bits = None if random is None else random[part]
        work = np.empty_like(chunk)
        least: npt.NDArray[np.floating[Any]] | None = None
        for candidate, outer in zip(fmt.candidates, above, strict=True):
            found = _encode(chunk, outer.part(part), candidate, bits, work)
            error = errors(
                _decoded(chunk, *found, outer.part(part), candidate), fmt.measure
            )
            if least is None:
                codes[part], scales[part], least = *found, error
                continue
            better = error < least
            np.copyto(codes[part], found[0], where=better[:, None])
            np.copyto(scales[part], found[1], where=better)
            np.copyto(least, error, where=better)
    return codes, scales


@dataclass(frozen=True)
class _Above:
    """What stands above some blocks, one number each or one for all."""

    reference: Singles
    amax: Singles
    scale: Singles

    @classmethod
    def of(cls, amax: Singles | None, geometry: Geometry, fmt: BlockFormat) -> _Above:
        reference = block_references(amax, geometry, fmt)
        if amax is None:
            return cls(reference, np.ones((), np.float32), np.ones((), np.float32))
        scale = np.asarray(tensor_scale(amax, fmt), np.float32)
        spread = (per_block(np.asarray(one), geometry, fmt) for one in (amax, scale))
        return cls(reference, *spread)

    def part(self, part: slice) -> _Above:
        each = (self.reference, self.amax, self.scale)
        return _Above(*(one[part] if one.ndim else one for one in each))


def _encode(
    chunk: Singles,
    above: _Above,
    fmt: BlockFormat,
    random: npt.NDArray[Any] | None,
    work: Singles,
) -> tuple[Codes, Codes]:
    flagged = fmt.alternate is not None
    return encode_chunk(chunk, above.reference, fmt, random, work, alternate=flagged)


def _decoded(
    chunk: Singles, codes: Codes, scales: Codes, above: _Above, fmt: BlockFormat
) -> Encoded:
    _, bare = split_flags(scales, fmt)
    return Encoded(
        chunk,
        decode(codes, fmt.alternate or fmt.element),
        fmt.alternate_factor if fmt.alternate is not None else 1.0,
        scale_values(bare, fmt),
        above.amax,
        above.scale,
        fmt,
    )
