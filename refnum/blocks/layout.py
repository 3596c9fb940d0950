"""How scale codes lie in memory for the matrix instructions that read them.

A scale has a *row* (an index of M or N) and a *column* (a run of 16 or 32 elements of
K). Linear layout is row-major. cuBLAS and CUTLASS cut rows and columns into *tiles* of
512 bytes, 128 rows by 4 columns; small-M kernels use tiles of 8 by 4. DeepGEMM packs
the four columns of a tile of one row into an int32 and stores these column by column.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

__all__ = [
    "pack_ue8m0",
    "swizzle_scales",
    "swizzled_offset",
    "unpack_ue8m0",
    "unswizzle_scales",
]

_TILES = (128, 4), (8, 4)
_LANES = 32  # rows of a 128-row tile that are 16 bytes apart
_TMA_BYTES = 16  # alignment of the strides of a tensor memory access
_ONE = 127  # the UE8M0 code of 1.0

_Shape = SupportsIndex | Sequence[SupportsIndex]


def swizzled_offset(
    row: int, column: int, columns: int, *, tile: tuple[int, int] = (128, 4)
) -> int:
    """Compute where the scale of a row and column is: the definition, for one scale.

    Parameters
    ----------
    row, column : int
        Of the scale.
    columns : int
        Columns of the whole array, before padding.
    tile : tuple of two ints
        ``(128, 4)`` or ``(8, 4)``.

    Returns
    -------
    int
        Offset in bytes from the first scale of the matrix.

    Raises
    ------
    ValueError
        If the tile is none of the two, or the column does not exist.

    Notes
    -----
    Tiles follow each other along a row of tiles, then down. Within 128 rows, row r is
    at ``(r % 32) * 16 + (r // 32) * 4``.

    References
    ----------
    cuBLAS, section "1D Block Scaling Factors Layout"; CUTLASS,
    detail/sm100_blockscaled_layout.hpp (SfAtom).

    Examples
    --------
    >>> [swizzled_offset(r, 0, 8) for r in (0, 1, 31, 32, 127, 128)]
    [0, 16, 496, 4, 508, 1024]
    """
    height, width = _as_tile(tile)
    if row < 0 or not 0 <= column < columns:
        raise ValueError(f"no scale at row {row}, column {column} of {columns} columns")
    tiles = row // height * -(-columns // width) + column // width
    within = row % height
    lanes = min(height, _LANES)
    within = within % lanes * (height // lanes) + within // lanes
    return (tiles * height + within) * width + column % width


def swizzle_scales(
    scales: npt.ArrayLike, *, tile: tuple[int, int] = (128, 4), pad: int = 0
) -> npt.NDArray[np.uint8]:
    """Rearrange scale codes from rows and columns to tiles.

    Parameters
    ----------
    scales : array_like of uint8, shape (..., rows, columns)
        Scale codes; leading axes are a batch of matrices.
    tile : tuple of two ints
        ``(128, 4)``, as cuBLAS, CUTLASS and Transformer Engine read them, or
        ``(8, 4)``, of FlashInfer's small-M kernels.
    pad : int
        Code that fills incomplete tiles. cuBLAS asks for 0, which is 2^-127 in UE8M0.

    Returns
    -------
    ndarray of uint8, shape (..., tiles * tile rows * tile columns)
        The bytes of each matrix, flat.

    Raises
    ------
    TypeError
        If the codes are not uint8.
    ValueError
        If there are fewer than two axes, the tile is none of the two, or `pad` is no
        byte.

    See Also
    --------
    unswizzle_scales : The inverse.
    swizzled_offset : The definition.

    Examples
    --------
    >>> data = swizzle_scales(np.arange(8, dtype=np.uint8).reshape(2, 4))
    >>> data.size, data[:4].tolist(), data[16:20].tolist()
    (512, [0, 1, 2, 3], [4, 5, 6, 7])
    """
    height, width = _as_tile(tile)
    codes = _as_matrix(scales)
    *batch, rows, columns = codes.shape
    down, across = -(-rows // height), -(-columns // width)
    padded = np.full((*batch, down * height, across * width), _as_byte(pad), np.uint8)
    padded[..., :rows, :columns] = codes
    lanes = min(height, _LANES)
    tiles = padded.reshape(*batch, down, height // lanes, lanes, across, width)
    return _rows_to_tiles(tiles).reshape(*batch, down * across * height * width)


def unswizzle_scales(
    data: npt.ArrayLike,
    shape: _Shape,
    *,
    tile: tuple[int, int] = (128, 4),
) -> npt.NDArray[np.uint8]:
    """Rearrange scale codes from tiles to rows and columns; drop the padding.

    Parameters
    ----------
    data : array_like of uint8
        What `swizzle_scales` returns, of any shape of as many bytes.
    shape : tuple of int
        Shape of the scales, (..., rows, columns).
    tile : tuple of two ints
        ``(128, 4)`` or ``(8, 4)``.

    Returns
    -------
    ndarray of uint8
        Scale codes of shape `shape`.

    Raises
    ------
    TypeError
        If the data are not uint8.
    ValueError
        If the shape has fewer than two axes or needs another number of bytes, or the
        tile is none of the two.

    Examples
    --------
    >>> scales = np.arange(12, dtype=np.uint8).reshape(6, 2)
    >>> np.array_equal(unswizzle_scales(swizzle_scales(scales), (6, 2)), scales)
    True
    """
    height, width = _as_tile(tile)
    *batch, rows, columns = _as_shape(shape)
    down, across = -(-rows // height), -(-columns // width)
    lanes = min(height, _LANES)
    tiled = *batch, down, across, lanes, height // lanes, width
    raw = _as_bytes(data, tiled)
    linear = _tiles_to_rows(raw).reshape(*batch, down * height, across * width)
    return linear[..., :rows, :columns].copy()


def pack_ue8m0(scales: npt.ArrayLike, *, pad: int = _ONE) -> npt.NDArray[np.int32]:
    """Pack four UE8M0 scales along K in an int32, in DeepGEMM's order.

    Parameters
    ----------
    scales : array_like of uint8, shape (..., rows, columns)
        Scale codes; leading axes are a batch of matrices.
    pad : int
        Code that fills incomplete words and added rows: 127, which is 1.0.

    Returns
    -------
    ndarray of int32, shape (..., words, aligned rows)
        Word j of row r at ``[..., j, r]`` holds columns 4j to 4j + 3, the first in the
        low byte. Rows are next to each other (MN-major), and as many as a tensor
        memory access wants: a multiple of 4, for strides of 16 bytes.

    Raises
    ------
    TypeError
        If the codes are not uint8.
    ValueError
        If there are fewer than two axes, or `pad` is no byte.

    See Also
    --------
    unpack_ue8m0 : The inverse.

    References
    ----------
    DeepGEMM, deep_gemm/utils/layout.py and csrc/utils/layout.hpp.

    Examples
    --------
    >>> pack_ue8m0(np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.uint8)).view(np.uint8)
    array([[  1,   2,   3,   4,   5,   6,   7,   8, 127, 127, 127, 127, 127,
            127, 127, 127]], dtype=uint8)
    """
    codes = _as_matrix(scales)
    *batch, rows, columns = codes.shape
    words, aligned = _packed_shape(rows, columns)
    out = np.full((*batch, words, aligned, 4), _as_byte(pad), np.uint8)
    linear = np.moveaxis(out, -3, -2).view()  # (..., rows, words, 4)
    full, rest = divmod(columns, 4)
    linear[..., :rows, :full, :] = codes[..., : 4 * full].reshape(*batch, rows, full, 4)
    if rest:
        linear[..., :rows, full, :rest] = codes[..., 4 * full :]
    return out.view("<i4")[..., 0].astype(np.int32, copy=False)


def unpack_ue8m0(data: npt.ArrayLike, shape: _Shape) -> npt.NDArray[np.uint8]:
    """Unpack the scales of `pack_ue8m0`, and drop the padding.

    Parameters
    ----------
    data : array_like of int32, shape (..., words, aligned rows)
        Packed scales.
    shape : tuple of int
        Shape of the scales, (..., rows, columns).

    Returns
    -------
    ndarray of uint8
        Scale codes of shape `shape`.

    Raises
    ------
    TypeError
        If the data are not int32.
    ValueError
        If the shape has fewer than two axes, or the data have not the shape for it.

    Examples
    --------
    >>> scales = np.arange(15, dtype=np.uint8).reshape(3, 5)
    >>> np.array_equal(unpack_ue8m0(pack_ue8m0(scales), (3, 5)), scales)
    True
    """
    *batch, rows, columns = _as_shape(shape)
    words = np.asarray(data)
    if words.dtype.kind != "i" or words.dtype.itemsize != 4:
        raise TypeError(f"packed scales must be int32, not {words.dtype}")
    expected = (*batch, *_packed_shape(rows, columns))
    if words.shape != expected:
        raise ValueError(
            f"scales of shape {(*batch, rows, columns)} are packed in the shape "
            f"{expected}, not {words.shape}"
        )
    raw = words.astype("<i4", order="C")[..., np.newaxis].view(np.uint8)
    linear = np.moveaxis(raw, -3, -2)
    linear = linear.reshape(*batch, expected[-1], 4 * expected[-2])
    return linear[..., :rows, :columns].copy()


def _rows_to_tiles(x: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Axes (down, quarter, lane, across, column) to (down, across, lane, quarter, …)."""
    return x.swapaxes(-4, -2)


_tiles_to_rows = _rows_to_tiles  # swapping two axes is its own inverse


def _packed_shape(rows: int, columns: int) -> tuple[int, int]:
    rows_per_access = _TMA_BYTES // 4
    return -(-columns // 4), -(-rows // rows_per_access) * rows_per_access


def _as_tile(tile: tuple[int, int]) -> tuple[int, int]:
    if tile not in _TILES:
        raise ValueError(f"tile must be (128, 4) or (8, 4), not {tile}")
    return tile


def _as_byte(pad: int) -> int:
    value = operator.index(pad)
    if not 0 <= value < 256:
        raise ValueError(f"pad must be 0 to 255, not {value}")
    return value


def _as_matrix(scales: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    codes = np.asarray(scales)
    if codes.dtype != np.uint8:
        raise TypeError(f"scale codes must be uint8, not {codes.dtype}")
    if codes.ndim < 2:
        raise ValueError(f"scales need rows and columns, not the shape {codes.shape}")
    return codes


def _as_shape(shape: _Shape) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, Sequence) else (shape,)
    numbers = tuple(operator.index(size) for size in sizes)
    if len(numbers) < 2 or min(numbers) < 0:
        raise ValueError(f"shape must be (..., rows, columns), not {shape}")
    return numbers


def _as_bytes(data: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    raw = np.asarray(data)
    if raw.dtype != np.uint8:
        raise TypeError(f"scale codes must be uint8, not {raw.dtype}")
    needed = int(np.prod(shape, dtype=np.int64))
    if raw.size != needed:
        raise ValueError(f"there are {raw.size} bytes; the shape needs {needed}")
    return raw.reshape(shape)
