"""`quantize` and `dequantize`: arrays to codes with shared scales, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.geometry import Geometry
from refnum.blocks.outer import block_references, outer_amax, outer_scales, tensor_scale
from refnum.blocks.scaling import (
    Scales,
    block_statistic,
    scale_blocks,
    scale_values,
    split_flags,
)
from refnum.formats import decode, encode

__all__ = ["Quantized", "dequantize", "quantize"]

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
    block_format: BlockFormat,
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
    block_format : BlockFormat
        The target.
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
    _must_be(block_format, BlockFormat, "block_format")
    values = _as_float32(x)
    geometry = Geometry.of(values.shape, axis, block_format)
    blocks = geometry.to_blocks(values)
    words = None
    if random is not None:
        words = _as_words(random, values.shape)
        words = geometry.to_blocks(words)
    amax = outer_amax(blocks, geometry, block_format, tensor_amax)
    codes, scales = _quantize_blocks(blocks, amax, geometry, block_format, words)
    return Quantized(
        geometry.from_blocks(codes).reshape(values.shape),
        geometry.scales_from_blocks(scales),
        tensor_scale(amax, block_format),
        block_format,
        axis,
    )


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
    _must_be(q, Quantized, "q")
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, not {kind}")
    fmt = q.format
    geometry = Geometry.of(q.codes.shape, q.axis, fmt)
    if np.shape(q.scales) != geometry.scale_shape:
        raise ValueError(
            f"scales have shape {np.shape(q.scales)}; {geometry.scale_shape} is needed"
        )
    codes = geometry.to_blocks(q.codes)
    scales = geometry.scales_to_blocks(q.scales)
    outer = outer_scales(q.tensor_scale, geometry, fmt).astype(kind)
    out = np.empty(codes.shape, kind)
    for part in _chunks(codes):
        _dequantize_chunk(
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
    scales = np.empty(len(blocks), fmt.scale.dtype)
    reference = block_references(amax, geometry, fmt)
    length = min(max(1, _CHUNK // blocks.shape[1]), len(blocks))
    scaled = np.empty((length, blocks.shape[1]), np.float32)
    for part in _chunks(blocks):
        chunk = blocks[part]
        work = scaled[: len(chunk)]
        statistic = block_statistic(chunk, fmt.rule, work.view(np.uint32))
        own = reference[part] if reference.ndim else reference
        found = scale_blocks(statistic, own, fmt)
        scales[part] = found.codes
        _apply(chunk, found, fmt, work)
        bits = None if random is None else random[part]
        codes[part] = encode(work, fmt.element, fmt.element_cast, random=bits)
    return codes, scales


def _apply(blocks: Singles, scales: Scales, fmt: BlockFormat, out: Singles) -> None:
    factors = scales.factors[:, None]
    with np.errstate(all="ignore"):
        apply = np.divide if fmt.rule.arithmetic.divides else np.multiply
        apply(blocks, factors, out=out)


def _dequantize_chunk(
    codes: Codes,
    scales: Codes,
    outer: npt.NDArray[np.floating[Any]],
    fmt: BlockFormat,
    out: npt.NDArray[np.floating[Any]],
) -> None:
    flagged, scales = split_flags(scales, fmt)
    elements = decode(codes, fmt.element, out.dtype)
    if fmt.alternate is not None and flagged.any():
        other = decode(codes[flagged], fmt.alternate, out.dtype)
        elements[flagged] = other * out.dtype.type(fmt.alternate_factor)
    values = scale_values(scales, fmt).astype(out.dtype, copy=False)
    with np.errstate(all="ignore"):
        if fmt.rule.arithmetic.combines:
            np.multiply(elements, (values * outer)[:, None], out=out)
            return
        apply = np.divide if fmt.convention == "encode" else np.multiply
        apply(elements, values[:, None], out=out)
        if fmt.tensor_scale is not None:
            out *= outer[:, None] if outer.ndim else outer


def _chunks(blocks: npt.NDArray[Any]) -> Iterator[slice]:
    """Return slices of whole blocks that together fit the cache."""
    count, size = blocks.shape
    length = max(1, _CHUNK // size)
    return (slice(i, min(i + length, count)) for i in range(0, count, length))


def _must_be(value: object, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, not {type(value).__name__}")


def _as_float32(x: npt.ArrayLike) -> Singles:
    array = np.asarray(x)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise TypeError(
            f"values must be float16, float32, float64 or integers, not {array.dtype}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(np.float32, copy=False)


def _as_words(random: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    words = np.asarray(random)
    if words.shape != shape:
        raise ValueError(f"random has shape {words.shape}; the values have {shape}")
    return words
