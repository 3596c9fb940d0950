"""Quantisation and its inverse over the slabs of an array, part by part.

A *part* is as many blocks as hide the cost of computing their scales, and a *piece* as
many elements as hide that of calls, yet stay in the cache from their first operation to
their last. Callers silence warnings: infinities and NaNs are results here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.encoder import Encoder, look_up, spread
from refnum.blocks.laid import Laid
from refnum.blocks.scaling import Codes, Singles, prescaled, scale_values
from refnum.blocks.slabs import Piece, Slabs
from refnum.formats import Format, decode
from refnum.formats.arguments import as_random

__all__ = ["decode_slabs", "encode_slabs", "round_slabs"]

Floats = npt.NDArray[np.floating[Any]]
Words = npt.NDArray[np.unsignedinteger[Any]]

_PART = 1 << 20  # elements
_PIECE = 1 << 18


def encode_slabs(
    laid: Laid, fmt: BlockFormat, random: Words | None
) -> tuple[Codes, Codes]:
    """Return the codes and the scale codes of an array, in the shapes of its slabs.

    `random` are the elements' random bits, in the shape of the slabs.
    """
    slabs = laid.slabs
    random = as_random(random, fmt.element_cast.resolve(fmt.element), slabs.shape)
    codes = np.empty(slabs.shape, fmt.element.dtype)
    scales = np.empty(slabs.block_shape, fmt.scale_dtype)
    encoder = Encoder(fmt, min(laid.values.size, _PIECE))
    for part in slabs.parts(_PART):
        some, target = laid.values[part.elements], codes[part.elements]
        bits = None if random is None else random[part.elements]
        inside = slabs.inside(part)
        found = encoder.scales(laid, part, inside)
        scales[part.blocks] = found.scales.codes
        for piece in inside.pieces(_PIECE):
            y = encoder.scaled(some, piece, found, slabs.width)
            own = None if bits is None else bits[piece.elements]
            encoder.encode(y, own, found, target[piece.elements])
    return codes, scales


def round_slabs(laid: Laid, fmt: BlockFormat, random: Words | None) -> Singles:
    """Return the values that the codes of `encode_slabs` stand for."""
    slabs, outer = laid.slabs, laid.outer
    random = as_random(random, fmt.element_cast.resolve(fmt.element), slabs.shape)
    out = np.empty(slabs.shape, np.float32)
    encoder = Encoder(fmt, min(out.size, _PIECE))
    for part in slabs.parts(_PART):
        some, target = laid.values[part.elements], out[part.elements]
        bits = None if random is None else random[part.elements]
        inside = slabs.inside(part)
        found = encoder.scales(laid, part, inside)
        values = prescaled(found.scales.decoded, fmt)
        above = outer[part.blocks] if outer.ndim else outer
        for piece in inside.pieces(_PIECE):
            place = target[piece.elements]
            y = encoder.scaled(some, piece, found, slabs.width)
            own = None if bits is None else bits[piece.elements]
            encoder.round(y, own, found, place)
            _apply_scales(place, piece, slabs.width, values, above, fmt)
    return out


def decode_slabs(
    codes: Codes, scales: Codes, slabs: Slabs, outer: Floats, fmt: BlockFormat
) -> Floats:
    """Return the values of an array, in the precision of `outer`.

    Parameters
    ----------
    codes : ndarray, shape `slabs.shape`
        Element codes.
    scales : ndarray, shape `slabs.block_shape`
        Scale codes.
    outer : ndarray, shape `slabs.block_shape` or ()
        The scale above the blocks'.
    """
    kind = outer.dtype
    out = np.empty(slabs.shape, kind)
    for part in slabs.parts(_PART):
        some, target = codes[part.elements], out[part.elements]
        _check(some, fmt.element)
        above = outer[part.blocks] if outer.ndim else outer
        values = scale_values(scales[part.blocks], fmt).astype(kind, copy=False)
        for piece in slabs.inside(part).pieces(_PIECE):
            place = target[piece.elements]
            look_up(some[piece.elements], fmt.element, place)
            _apply_scales(place, piece, slabs.width, values, above, fmt)
    return out


def _check(codes: Codes, fmt: Format) -> None:
    """Raise the codec's error if a code does not fit; look-ups ask no more."""
    if codes.dtype != fmt.dtype or int(codes.max()) >> fmt.bits:
        decode(codes, fmt)


def _apply_scales(
    out: Floats,
    piece: Piece,
    width: int,
    values: Floats,
    outer: Floats,
    fmt: BlockFormat,
) -> None:
    """Multiply elements by the scales of their blocks, in place."""
    if fmt.rule.arithmetic.combines:
        out *= spread(values * outer, piece, width)
        return
    apply = np.divide if fmt.convention == "encode" else np.multiply
    apply(out, spread(values, piece, width), out=out)
    if fmt.tensor_scale is not None:
        out *= spread(outer, piece, width) if outer.ndim else outer
