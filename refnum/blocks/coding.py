"""One chunk of blocks: from values to codes and scale codes, and back.

A *chunk* is some rows of a block view: few enough for the cache, enough to hide the
cost of a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.hifloat4 import encode_levels, join_levels, split_levels
from refnum.blocks.scale_table import scale_blocks
from refnum.blocks.scaling import (
    Codes,
    Scales,
    Singles,
    block_statistic,
    scale_values,
    split_flags,
)
from refnum.formats import decode, encode

__all__ = ["apply_factors", "chunks", "decode_chunk", "encode_chunk"]

Floats = npt.NDArray[np.floating[Any]]


def chunks(blocks: npt.NDArray[Any], elements: int) -> Iterator[slice]:
    """Return slices of whole blocks, of about that many elements each."""
    count, size = blocks.shape
    length = max(1, elements // size)
    return (slice(i, min(i + length, count)) for i in range(0, count, length))


def encode_chunk(
    blocks: Singles,
    reference: Singles,
    fmt: BlockFormat,
    random: npt.NDArray[Any] | None,
    work: Singles,
    *,
    alternate: bool = False,
) -> tuple[Codes, Codes]:
    """Return the codes and the scale codes of some blocks.

    Parameters
    ----------
    blocks : ndarray of float32, shape (count, size)
        The blocks.
    reference : ndarray of float32, shape (count,) or ()
        What each is measured by.
    random : ndarray of unsigned integers, shape (count, size), optional
        Random bits of the elements.
    work : ndarray of float32, shape (count, size)
        Scratch; holds the scaled values afterwards.
    alternate : bool
        Whether the blocks use the alternate elements, which the scale codes then say.
    """
    statistic = block_statistic(blocks, fmt.rule, work.view(np.uint32))
    scales = scale_blocks(statistic, reference, fmt)
    if fmt.levels:
        exponents, wide = encode_levels(blocks, scales, fmt)
        codes = encode(wide, fmt.element, fmt.element_cast, random=random)
        return codes, join_levels(scales.codes, exponents, fmt)
    apply_factors(blocks, scales, fmt, work)
    if not alternate:
        return encode(work, fmt.element, fmt.element_cast, random=random), scales.codes
    assert fmt.alternate is not None
    with np.errstate(all="ignore"):
        np.multiply(work, np.float32(1 / fmt.alternate_factor), out=work)
    codes = encode(work, fmt.alternate, fmt.element_cast, random=random)
    return codes, scales.codes | scales.codes.dtype.type(1 << fmt.scale.bits)


def apply_factors(
    blocks: Singles, scales: Scales, fmt: BlockFormat, out: Singles
) -> None:
    """Multiply or divide blocks by their factors."""
    factors = scales.factors[:, None]
    with np.errstate(all="ignore"):
        apply = np.divide if fmt.rule.arithmetic.divides else np.multiply
        apply(blocks, factors, out=out)


def decode_chunk(
    codes: Codes, scales: Codes, outer: Floats, fmt: BlockFormat, out: Floats
) -> None:
    """Write the values of some blocks to `out`, in its precision.

    Parameters
    ----------
    codes : ndarray, shape (count, size)
        Element codes.
    scales : ndarray, shape (count,)
        Scale codes.
    outer : ndarray, shape (count,) or ()
        The scale above the blocks'.
    """
    flagged, scales = split_flags(scales, fmt)
    elements = decode(codes, fmt.element, out.dtype)
    if fmt.alternate is not None and flagged.any():
        other = decode(codes[flagged], fmt.alternate, out.dtype)
        elements[flagged] = other * out.dtype.type(fmt.alternate_factor)
    if fmt.levels:
        scales, powers = split_levels(scales, fmt)
        in_groups = elements.reshape(*powers.shape, fmt.levels[-1])
        in_groups *= powers[:, :, None]
    values = scale_values(scales, fmt).astype(out.dtype, copy=False)
    with np.errstate(all="ignore"):
        if fmt.rule.arithmetic.combines:
            np.multiply(elements, (values * outer)[:, None], out=out)
            return
        apply = np.divide if fmt.convention == "encode" else np.multiply
        apply(elements, values[:, None], out=out)
        if fmt.tensor_scale is not None:
            out *= outer[:, None] if outer.ndim else outer
