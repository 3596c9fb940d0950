"""The `Measure` record: how far the encoding of a block is from the block.

The bits of a choice between encodings depend on how the error is computed: which
products are rounded and in which order the elements are added. A measure names both.
All of them add the elements of a row from the left; the rows of a tile are then added
in halves, the first half to the second, until one is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat

__all__ = ["MEASURES", "Encoded", "Measure", "errors"]

Floats = npt.NDArray[np.floating[Any]]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Measure:
    """How far the encoding of a block is from the block.

    Parameters
    ----------
    error : str
        ``"mse"``: the sum of squares; ``"mae"``: the sum of magnitudes; ``"amax"``: the
        largest magnitude.
    order : str
        ``"float64"``: differences of the dequantised values, squares and sums in
        float64. ``"transformer_engine"``: ``((q * scale) * tensor amax) / (limit *
        unit) - x``, squares and sums in float32, one after the other. ``"quartet_ii"``:
        ``fma(q, -(scale * tensor scale), x)``, whose squares are added by fma, even and
        odd elements of each half of 16 apart.

    Raises
    ------
    ValueError
        If there is no such error or order, or the order has no such error.

    References
    ----------
    NVIDIA Transformer Engine, quantize_4over6_nvfp4.cuh: ``accumulate_dequant_error``
    and ``reduce_group_sum_16``. IST-DASLab Quartet-II, round_four_six.cu:
    ``quant_error``.
    """

    error: str = "mse"
    order: str = "float64"

    def __post_init__(self) -> None:
        if self.error not in ("mse", "mae", "amax"):
            raise ValueError(f"error is {self.error!r}; mse, mae or amax is allowed")
        if self.order not in MEASURES:
            raise ValueError(f"order is {self.order!r}; {', '.join(MEASURES)} are")
        if self.order == "quartet_ii" and self.error != "mse":
            raise ValueError(f"quartet_ii has no error {self.error!r}; mse is allowed")


@dataclass(frozen=True)
class Encoded:
    """Some encoded blocks, and what they encode.

    Parameters
    ----------
    blocks : ndarray of float32, shape (count, size)
        The blocks.
    values : ndarray of float32, shape (count, size)
        What the codes stand for, without scales and without `factor`.
    factor : float
        What the elements are multiplied by.
    scales : ndarray of float32, shape (count,)
        The values of the scale codes.
    amax, tensor_scale : ndarray of float32, shape (count,) or ()
        The magnitude above the blocks, and the scale made from it.
    format : BlockFormat
        The candidate.
    """

    blocks: Singles
    values: Singles
    factor: float
    scales: Singles
    amax: Singles
    tensor_scale: Singles
    format: BlockFormat


def errors(encoded: Encoded, measure: Measure) -> Floats:
    """Return each block's error, NaN where it holds one, shape (count,)."""
    with np.errstate(all="ignore"):
        if measure.order == "quartet_ii":
            return _quartet_ii(encoded)
        difference = MEASURES[measure.order](encoded)
        if measure.error == "mse":
            np.multiply(difference, difference, out=difference)
        else:
            np.abs(difference, out=difference)
        combine = np.maximum if measure.error == "amax" else np.add
        return _fold(difference, encoded.format.block, combine)


def _stored(e: Encoded) -> Floats:
    """Dequantised values, rounded as `dequantize` rounds them, minus the block."""
    values = e.values if e.factor == 1 else e.values * np.float32(e.factor)
    scales = e.scales
    if e.format.rule.arithmetic.combines:
        values = values * (scales * e.tensor_scale)[:, None]
    else:
        apart = np.divide if e.format.convention == "encode" else np.multiply
        values = apart(values, scales[:, None])
        if e.format.tensor_scale is not None:
            values *= _column(e.tensor_scale)
    return values.astype(np.float64) - e.blocks


def _transformer_engine(e: Encoded) -> Floats:
    assert e.format.tensor_scale is not None
    unit = e.format.rule.unit_of(e.format.element)
    values = e.values * e.scales[:, None]
    values *= _column(e.amax)
    if e.factor != 1:
        values *= np.float32(e.factor)
    values /= np.float32(e.format.tensor_scale.limit * unit)
    values -= e.blocks
    return values


def _quartet_ii(e: Encoded) -> Floats:
    scale = -(e.scales * e.tensor_scale)[:, None]
    difference = _fma(e.values, scale, e.blocks)
    halves = []
    for half in (difference[:, :8], difference[:, 8:]):
        sums = np.zeros((len(half), 2), np.float32)
        for i in range(0, 8, 2):
            pair = half[:, i : i + 2]
            sums = _fma(pair, pair, sums)
        halves.append(sums[:, 0] + sums[:, 1])
    total: Singles = halves[0] + halves[1]
    return total


MEASURES: dict[str, Callable[[Encoded], Floats]] = {
    "float64": _stored,
    "transformer_engine": _transformer_engine,
    "quartet_ii": _quartet_ii,
}


def _fold(terms: Floats, block: object, combine: np.ufunc) -> Floats:
    """Combine the terms of each block: along rows from the left, then rows by halves."""
    rows = block[0] if isinstance(block, tuple) else 1
    tiles = terms.reshape(len(terms), rows, -1)
    total = tiles[:, :, 0].copy()
    for column in range(1, tiles.shape[2]):
        combine(total, tiles[:, :, column], out=total)
    while total.shape[1] > 1:
        half = (total.shape[1] + 1) // 2
        rest = total[:, half:]
        combine(total[:, : rest.shape[1]], rest, out=total[:, : rest.shape[1]])
        total = total[:, :half]
    return total[:, 0]


def _fma(a: Singles, b: Singles, c: Singles) -> Singles:
    """Return a * b + c in float32 with one rounding.

    The product is exact in float64. Its sum with c is rounded to odd there, so that the
    second rounding, to float32, sees on which side of a midpoint the exact sum lies.
    """
    product = a.astype(np.float64) * b
    total = product + c
    other = total - product
    rest = (product - (total - other)) + (c - other)
    even = (np.ascontiguousarray(total).view(np.int64) & 1) == 0
    inexact = (rest != 0) & even & np.isfinite(total)
    toward = np.where(rest > 0, np.inf, -np.inf)
    odd: Singles = np.where(inexact, np.nextafter(total, toward), total)
    return odd.astype(np.float32)


def _column(x: Singles) -> Singles:
    return x[:, None] if x.ndim else x
