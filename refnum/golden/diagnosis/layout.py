"""Where bytes lie: swizzled scales, nibbles, transposed and shifted arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from refnum.blocks import pack_ue8m0, swizzle_scales, unswizzle_scales
from refnum.formats import Format, pack
from refnum.golden.diagnosis.casts import field
from refnum.golden.diagnosis.deviation import Array, Deviation, Outputs

__all__ = ["Layout", "block_moves", "compute_layout", "layout_deviations"]

_TILES = (128, 4), (8, 4)
_LANES = 32
_PADS = 0, 1, 127, 255


@dataclass(frozen=True)
class Layout:
    """How scales are laid out.

    Parameters
    ----------
    tile : tuple of two ints
        Rows and columns of a tile.
    form : str
        ``tiles``; ``linear``: rows; ``padded``: rows, padded to whole tiles;
        ``words``: DeepGEMM's packed words.
    within : str
        ``lanes``: 32 rows apart come next to each other; ``rows``: as they are.
    down_first : bool
        Whether tiles follow each other down a column of tiles.
    transposed : bool
        Whether rows and columns of the scales are exchanged first.
    inverse : bool
        Whether the scales are taken for tiles, and unswizzled.
    pad : int
        Code that fills incomplete tiles.
    """

    tile: tuple[int, int]
    form: str = "tiles"
    within: str = "lanes"
    down_first: bool = False
    transposed: bool = False
    inverse: bool = False
    pad: int = 0


def compute_layout(record: Layout, *, scales: Array) -> Outputs:
    """Return the bytes of a layout."""
    codes = np.swapaxes(scales, -1, -2) if record.transposed else scales
    if record.inverse:
        return {"data": unswizzle_scales(codes, codes.shape, tile=record.tile)}
    if record.form == "linear":
        return {"data": np.ascontiguousarray(codes)}
    if record.form == "words":
        return {"data": pack_ue8m0(codes, pad=record.pad).view(np.uint8)}
    height, width = record.tile
    *batch, rows, columns = codes.shape
    down, across = -(-rows // height), -(-columns // width)
    shape = *batch, down * height, across * width
    padded = np.full(shape, record.pad, np.uint8)
    padded[..., :rows, :columns] = codes
    if record.form == "padded":
        return {"data": padded}
    lanes = min(height, _LANES) if record.within == "lanes" else height
    cut = padded.reshape(*batch, down, height // lanes, lanes, across, width)
    if record.down_first:
        tiles = np.moveaxis(cut, (-2, -5, -3, -4), (-5, -4, -3, -2))
    else:
        tiles = np.moveaxis(cut, (-5, -2, -3, -4), (-5, -4, -3, -2))
    return {"data": np.ascontiguousarray(tiles)}


def layout_deviations(record: Layout) -> tuple[Deviation, ...]:
    """Return the deviations of a layout."""
    found = [
        field("form", "scales in rows, not swizzled", "form", "linear"),
        field("form", "scales in rows, padded to tiles", "form", "padded"),
        field("form", "DeepGEMM's packed words", "form", "words"),
        field("within", "rows of a tile in order, not 32 apart", "within", "rows"),
        field("tiles", "tiles down first, then across", "down_first", True),
        field("transposed", "scales transposed", "transposed", True),
        field("form", "unswizzled instead of swizzled", "inverse", True),
    ]
    for tile in _TILES:
        name = f"tiles of {tile[0]} by {tile[1]}"
        found.append(field("tile", name, "tile", tile))
    found += [field("pad", f"padding {pad:#04x}", "pad", pad) for pad in _PADS]
    return tuple(found)


def block_moves(element: Format, scale: Format) -> Iterator[Deviation]:
    """Yield what may happen to the finished codes and scales of blocks."""
    moves: list[tuple[str, str, str, Callable[[Array], Array]]] = [
        ("scale layout", "scales transposed", "scales", _transpose),
        ("scale layout", "scales shifted by one block, later", "scales", _later),
        ("scale layout", "scales shifted by one block, earlier", "scales", _earlier),
        ("code layout", "codes transposed", "codes", _transpose),
    ]
    for tile in _TILES:
        name = f"scales swizzled in tiles of {tile[0]} by {tile[1]}"
        moves.append(("scale layout", name, "scales", partial(_swizzle, tile)))
    if scale.mantissa_bits == 0:
        inverse = partial(_inverse, scale)
        moves.append(("scale code", "inverse scales stored", "scales", inverse))
    for step, word in ((1, "above"), (-1, "below")):
        name = f"scales one code {word}"
        moves.append(("scale code", name, "scales", partial(_step, scale, step)))
    if element.bits == 4:
        moves.append(("packing", "nibbles swapped", "packed", _swap_nibbles))
    for family, name, key, move in moves:
        yield Deviation(name, family, outputs=partial(_on, key, move))
    for bits, name in ((element.bits, "packed along the other axis"),):
        change = partial(_repack, bits)
        yield Deviation(name, "packing", outputs=change)
    if element.bits not in (8, 16):
        yield Deviation("codes not packed", "packing", outputs=partial(_unpacked))
    if element.bits in (5, 6, 7):
        first = partial(_packed_from_top, element.bits)
        name = "packed from the top bit of each byte down"
        yield Deviation(name, "packing", outputs=first)
    yield Deviation("tensor scale stored as its inverse", "stored", outputs=_invert)


def _on(key: str, move: Callable[[Array], Array], outputs: Outputs) -> Outputs:
    if key not in outputs:
        raise KeyError(key)
    return {**outputs, key: move(outputs[key])}


def _transpose(array: Array) -> Array:
    if array.ndim < 2:
        raise ValueError("one axis has no transpose")
    return np.ascontiguousarray(np.swapaxes(array, -1, -2))


def _later(scales: Array) -> Array:
    return np.roll(scales, 1)


def _earlier(scales: Array) -> Array:
    return np.roll(scales, -1)


def _swizzle(tile: tuple[int, int], scales: Array) -> Array:
    return swizzle_scales(scales, tile=tile)


def _inverse(scale: Format, scales: Array) -> Array:
    codes = 2 * scale.bias - scales.astype(np.int64)
    return np.clip(codes, 0, scale.max_code).astype(scales.dtype)


def _step(scale: Format, step: int, scales: Array) -> Array:
    codes = scales.astype(np.int64) + step & (1 << scale.bits) - 1
    return codes.astype(scales.dtype)


def _swap_nibbles(data: Array) -> Array:
    swapped: Array = data << np.uint8(4) | data >> np.uint8(4)
    return swapped


def _repack(bits: int, outputs: Outputs) -> Outputs:
    return {**outputs, "packed": pack(_transpose(outputs["codes"]), bits)}


def _unpacked(outputs: Outputs) -> Outputs:
    return {**outputs, "packed": outputs["codes"].reshape(-1)}


def _packed_from_top(bits: int, outputs: Outputs) -> Outputs:
    codes = outputs["codes"].reshape(-1, 1).astype(np.uint8)
    stream = np.unpackbits(codes, axis=1)[:, -bits:]
    return {**outputs, "packed": np.packbits(stream.reshape(-1))}


def _invert(outputs: Outputs) -> Outputs:
    if "tensor_scale" not in outputs:
        raise KeyError("tensor_scale")
    inverse = np.float32(1) / outputs["tensor_scale"]
    return {**outputs, "tensor_scale": inverse.astype(np.float32)}
