"""`quantize` and `dequantize`: arrays to codes with shared scales, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.choice import ChosenFormat, choose_blocks
from refnum.blocks.coding import chunks, decode_chunk, encode_chunk
from refnum.blocks.geometry import Geometry
from refnum.blocks.laid import lay_out, slabs_of
from refnum.blocks.outer import (
    block_references,
    outer_amax,
    outer_scales,
    tensor_scale,
)
from refnum.blocks.passes import decode_slabs, encode_slabs

__all__ = [
    "Quantized",
    "as_float32",
    "as_words",
    "dequantize",
    "must_be",
    "quantize",
    "stored_format",
]

Singles = npt.NDArray[np.float32]
Codes = npt.NDArray[np.unsignedinteger[Any]]

_CHUNK = 1 << 19  # elements: enough to hide the cost of a call, 4 MiB of buffers


@dataclass(frozen=True)
class Quantized:
    """An array of codes that share scales.

    Parameters
    ----------
    codes : ndarray
        Element codes, in the shape of the original array.
    scales : ndarray
        Scale codes; the blocked axis (of a tile: both axes) is divided by the block.
    tensor_scale : float32, ndarray or None
        The decode scale above the blocks': a scalar, or one for each row or outer
        block, broadcastable to `scales` after repetition along the blocked axis.
    format : BlockFormat
        What the codes mean.
    axis : int
        The blocked axis.
    """

    codes: Codes
    scales: Codes
    tensor_scale: np.float32 | Singles | None
    format: BlockFormat
    axis: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.codes.shape


def quantize(
    x: npt.ArrayLike,
    block_format: BlockFormat | ChosenFormat,
    *,
    axis: int = -1,
    random: npt.ArrayLike | None = None,
    tensor_amax: npt.ArrayLike | None = None,
) -> Quantized:
    """Quantise an array to a block format.

    Parameters
    ----------
    x : array_like
        Values of one dimension or more. The arithmetic is that of float32: float64
        values are first rounded to it.
    block_format : BlockFormat or ChosenFormat
        The target; of a `ChosenFormat` each block takes the candidate of least error.
    axis : int
        The axis along which blocks run: the one that a product reduces.
    random : array_like of unsigned integers, optional
        Random bits for a stochastic `element_cast`, in the shape of `x`.
    tensor_amax : array_like, optional
        The largest magnitude that the tensor scale is made from, in place of the
        array's own: one held from an earlier step.

    Returns
    -------
    Quantized
        Codes, scale codes and tensor scale.

    Raises
    ------
    TypeError
        If `x` holds no real numbers, or another argument is of a wrong type.
    ValueError
        If the axis does not exist, a tile has no second axis, random bits are missing,
        or `tensor_amax` is given to a format without a tensor scale.

    Examples
    --------
    >>> import refnum as rn
    >>> q = rn.quantize([[0.5, -1.0, 3.0, 6.0]], rn.MXFP4)
    >>> q.codes.tolist(), q.scales.tolist()
    ([[1, 10, 5, 7]], [[127]])
    """
    stored = stored_format(block_format)
    must_be(stored, BlockFormat, "block_format")
    values = as_float32(x)
    words = None if random is None else as_words(random, values.shape)
    geometry = Geometry.of(values.shape, axis, stored)
    laid = None
    if isinstance(block_format, BlockFormat):
        laid = lay_out(values, geometry, stored, tensor_amax)
    if laid is not None:
        bits = None if words is None else words.reshape(laid.slabs.shape)
        with np.errstate(all="ignore"):  # infinities and NaNs are results here
            codes, scales = encode_slabs(laid, stored, bits)
        scales, amax = scales.reshape(geometry.scale_shape), laid.amax
    else:
        blocks = geometry.to_blocks(values)
        bits = None if words is None else geometry.to_blocks(words)
        amax = outer_amax(blocks, geometry, stored, tensor_amax)
        if isinstance(block_format, ChosenFormat):
            codes, scales = choose_blocks(blocks, amax, geometry, block_format, bits)
        else:
            codes, scales = _quantize_blocks(blocks, amax, geometry, stored, bits)
        codes = geometry.from_blocks(codes)
        scales = geometry.scales_from_blocks(scales)
    above = tensor_scale(amax, stored)
    return Quantized(codes.reshape(values.shape), scales, above, stored, axis)


def dequantize(
    q: Quantized, dtype: npt.DTypeLike = np.float32
) -> npt.NDArray[np.floating[Any]]:
    """Return the values that a quantised array stands for.

    Parameters
    ----------
    q : Quantized
        The array.
    dtype : dtype
        float32, or float64 for products of the scales without rounding.

    Returns
    -------
    ndarray
        ``code * scale * tensor_scale``, multiplied from the left; formats whose
        arithmetic combines scales multiply the two scales first.

    Raises
    ------
    TypeError
        If `q` is no `Quantized` or `dtype` is none of the two.
    ValueError
        If codes, scales or tensor scale do not fit the format and each other.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.dequantize(rn.quantize([[0.5, -1.1, 3.0, 6.0]], rn.MXFP4))
    array([[ 0.5, -1. ,  3. ,  6. ]], dtype=float32)
    """
    must_be(q, Quantized, "q")
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, not {kind}")
    fmt = q.format
    geometry = Geometry.of(q.codes.shape, q.axis, fmt)
    if np.shape(q.scales) != geometry.scale_shape:
        raise ValueError(
            f"scales have shape {np.shape(q.scales)}; {geometry.scale_shape} is needed"
        )
    outer = outer_scales(q.tensor_scale, geometry, fmt).astype(kind)
    slabs = slabs_of(geometry, fmt)
    if slabs is not None:
        codes, scales = (
            q.codes.reshape(slabs.shape),
            q.scales.reshape(slabs.block_shape),
        )
        outer = outer.reshape(slabs.block_shape) if outer.ndim else outer
        with np.errstate(all="ignore"):
            values = decode_slabs(codes, scales, slabs, outer, fmt)
        return values.reshape(q.codes.shape)
    codes = geometry.to_blocks(q.codes)
    scales = geometry.scales_to_blocks(q.scales)
    out = np.empty(codes.shape, kind)
    for part in chunks(codes, _CHUNK):
        decode_chunk(
            codes[part],
            scales[part],
            outer[part] if outer.ndim else outer,
            fmt,
            out[part],
        )
    return geometry.from_blocks(out).reshape(q.codes.shape)


def _quantize_blocks(
    blocks: Singles,
    amax: Singles | None,
    geometry: Geometry,
    fmt: BlockFormat,
    random: npt.NDArray[Any] | None,
) -> tuple[Codes, Codes]:
    codes = np.empty(blocks.shape, fmt.element.dtype)
    scales = np.empty(len(blocks), fmt.scale_dtype)
    reference = block_references(amax, geometry, fmt)
    length = min(max(1, _CHUNK // blocks.shape[1]), len(blocks))
    scaled = np.empty((length, blocks.shape[1]), np.float32)
    for part in chunks(blocks, _CHUNK):
        chunk = blocks[part]
        own = reference[part] if reference.ndim else reference
        bits = None if random is None else random[part]
        work = scaled[: len(chunk)]
        codes[part], scales[part] = encode_chunk(chunk, own, fmt, bits, work)
    return codes, scales


def stored_format(fmt: BlockFormat | ChosenFormat) -> BlockFormat:
    """Return what decodes the result."""
    return fmt.stored if isinstance(fmt, ChosenFormat) else fmt


def must_be(value: object, kind: type, name: str) -> None:
    """Raise TypeError unless the argument of that name is of that type."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, not {type(value).__name__}")


def as_float32(x: npt.ArrayLike) -> Singles:
    """Return values in the precision of the arithmetic."""
    array = np.asarray(x)
    if array.dtype == np.float32:
        return array
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise TypeError(
            f"values must be float16, float32, float64 or integers, not {array.dtype}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(np.float32, copy=False)


def as_words(random: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return random words, which must be one for each value."""
    words = np.asarray(random)
    if words.shape != shape:
        raise ValueError(f"random has shape {words.shape}; the values have {shape}")
    return words
