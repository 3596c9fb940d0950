"""EDEN: unbiased quantisation whose scales are random and whose codes are not.

The values come rotated: a random rotation makes the error of rounding to nearest
symmetric around a shrunk vector. EDEN measures the shrinkage S of each *group*, a run
of as many elements as the rotation mixes, and multiplies the scales of the group's
blocks by S. The product is no scale code, so it is rounded stochastically to one of
its neighbours: in expectation over rotation and rounding, nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat, TensorScale
from refnum.blocks.coding import apply_factors, chunks
from refnum.blocks.geometry import Geometry
from refnum.blocks.outer import block_references, outer_amax, tensor_scale
from refnum.blocks.quantize import Quantized, as_float32, must_be
from refnum.blocks.rule import ScaleRule
from refnum.blocks.scale_table import scale_blocks
from refnum.blocks.scaling import Codes, Singles, block_statistic
from refnum.blocks.steps import ONE, Arithmetic, scale_is_reference, single
from refnum.formats import E2M1, UE4M3, UE8M0, Cast, Rounding, decode, encode

__all__ = ["MXFP4_EDEN", "NVFP4_EDEN", "eden"]

Doubles = npt.NDArray[np.float64]

_CHUNK = 1 << 17  # elements
_SCALE_CAST = Cast(Rounding.STOCHASTIC_A, random_bits=24)

_DIVISIONS = Arithmetic(
    "eden",
    lambda amax, unit, limit: np.where(
        amax == 0, ONE, (amax / single(limit)) / single(unit)
    ),
    ratio=lambda amax, s, unit: (amax / single(unit)) / s,
    factor=lambda scale, s, _: scale * s,
    tensor_scale=scale_is_reference,
    steps=(
        "s = (tensor amax / limit) / unit, 1 where tensor amax is 0",
        "t = (amax / unit) / s",
        "y = x / (scale * s)",
    ),
    divides=True,
)
_CONSTANT = Arithmetic(
    "eden_power",
    lambda amax, unit, limit: np.full_like(amax, single(limit / unit)),
    ratio=lambda amax, *_: amax,
    factor=lambda scale, s, _: scale * s,
    tensor_scale=scale_is_reference,
    steps=("s = limit / unit, a constant", "t = amax", "y = x / (scale * s)"),
    divides=True,
)
_AWAY = Cast(Rounding.NEAREST_AWAY)

NVFP4_EDEN = BlockFormat(
    E2M1,
    UE4M3,
    16,
    ScaleRule(
        "eden", arithmetic=_DIVISIONS, unit=6 / (17 / 16 * 0.93), replace_zero=1.0
    ),
    element_cast=_AWAY,
    tensor_scale=TensorScale(255.99),
    name="nvfp4_eden",
)
"""The grid of MS-EDEN; scales up to 256 leave room for the correction."""

MXFP4_EDEN = BlockFormat(
    E2M1,
    UE8M0,
    32,
    ScaleRule("eden", Cast(Rounding.TOWARD_ZERO), arithmetic=_CONSTANT, unit=3 / 0.91),
    element_cast=_AWAY,
    tensor_scale=TensorScale(1.0),
    name="mxfp4_eden",
)
"""The power of two below the largest magnitude, over a constant 3 / 0.91."""


def eden(
    x: npt.ArrayLike,
    block_format: BlockFormat = NVFP4_EDEN,
    *,
    random: npt.ArrayLike,
    scale_cast: Cast = _SCALE_CAST,
    group: int = 128,
    axis: int = -1,
    tensor_amax: npt.ArrayLike | None = None,
) -> Quantized:
    """Quantise a rotated array without bias, by random scales.

    Parameters
    ----------
    x : array_like
        Rotated values (see `hadamard`) of one dimension or more.
    block_format : BlockFormat
        The grid, and how the scale before the correction is found.
    random : array_like of unsigned integers
        Random bits of the scales, in their shape.
    scale_cast : Cast
        How corrected scales become codes.
    group : int
        Elements along the axis that share a correction: the size of the rotation.
    axis : int
        The axis along which blocks and groups run.
    tensor_amax : array_like, optional
        The largest magnitude that the tensor scale is made from.

    Returns
    -------
    Quantized
        Codes and plain scales, for `dequantize`.

    Raises
    ------
    TypeError
        If `x` holds no real numbers, or the random bits are not unsigned.
    ValueError
        If blocks do not run along the axis alone, the group is no multiple of the
        block, or the random bits have another shape.

    Notes
    -----
    ``S = sum(y * y) / sum(y * q)`` over a group, with y the scaled values and q what
    their codes stand for; 1 where the denominator is 0. The sums run in float64, within
    blocks and then over blocks from the left, and S is rounded to float32, as is its
    product with the scale. The authors' kernel adds in float32 in no fixed order.

    References
    ----------
    Panferov et al., "Quartet II", arXiv 2601.22813, MS-EDEN; its repository,
    nvfp4_triton.py (``eden_1x16s_fp4_kernel``) and eden.py (``sr_e8m0``).

    Examples
    --------
    >>> import numpy as np
    >>> import refnum as rn
    >>> x = np.linspace(-3.0, 2.0, 128)
    >>> q = rn.blocks.eden(x, random=np.zeros(8, np.uint32))
    >>> q.scales
    array([119, 116, 112, 107,  97, 103, 110, 114], dtype=uint8)
    """
    must_be(block_format, BlockFormat, "block_format")
    values = as_float32(x)
    geometry = Geometry.of(values.shape, axis, block_format)
    size = block_format.block
    if not isinstance(size, int) or block_format.levels:
        raise ValueError(f"{block_format} has no blocks of a size along one axis")
    if group <= 0 or group % size:
        raise ValueError(f"a group of {group} is no multiple of the block of {size}")
    blocks = geometry.to_blocks(values)
    amax = outer_amax(blocks, geometry, block_format, tensor_amax)
    coded = _code(blocks, block_references(amax, geometry, block_format), block_format)
    correction = _shrinkage(coded, geometry.blocks_per_row, group // size)
    with np.errstate(all="ignore"):
        corrected = decode(coded.scales, block_format.scale) * correction
    scales = geometry.scales_from_blocks(corrected)
    return Quantized(
        geometry.from_blocks(coded.codes),
        encode(scales, block_format.scale, scale_cast, random=random),
        tensor_scale(amax, block_format),
        block_format,
        axis,
    )


@dataclass(frozen=True)
class _Coded:
    """Codes, scale codes, and each block's sums of y * y and of y * q."""

    codes: Codes
    scales: Codes
    squares: Doubles
    products: Doubles


def _code(blocks: Singles, reference: Singles, fmt: BlockFormat) -> _Coded:
    count = len(blocks)
    coded = _Coded(
        np.empty(blocks.shape, fmt.element.dtype),
        np.empty(count, fmt.scale.dtype),
        np.empty(count),
        np.empty(count),
    )
    for part in chunks(blocks, _CHUNK):
        chunk = blocks[part]
        y = np.empty_like(chunk)
        own = reference[part] if reference.ndim else reference
        found = scale_blocks(block_statistic(chunk, fmt.rule), own, fmt)
        apply_factors(chunk, found, fmt, y)
        codes = encode(y, fmt.element, fmt.element_cast)
        coded.codes[part], coded.scales[part] = codes, found.codes
        wide = y.astype(np.float64)
        with np.errstate(all="ignore"):
            coded.squares[part] = _sum_rows(wide * wide)
            coded.products[part] = _sum_rows(wide * decode(codes, fmt.element))
    return coded


def _shrinkage(coded: _Coded, per_row: int, per_group: int) -> Singles:
    """Return S for each block, in float32."""
    count = len(coded.squares)
    if not count:
        return np.empty(0, np.float32)
    padding = ((0, 0), (0, -per_row % per_group))
    squares, products = (
        _sum_rows(np.pad(one.reshape(-1, per_row), padding).reshape(-1, per_group))
        for one in (coded.squares, coded.products)
    )
    with np.errstate(all="ignore"):
        shrinkage = np.where(products == 0, 1.0, squares / products)
    groups = shrinkage.astype(np.float32).reshape(count // per_row, -1)
    each: npt.NDArray[Any] = np.repeat(groups, per_group, axis=1)[:, :per_row]
    return each.reshape(-1)


def _sum_rows(terms: Doubles) -> Doubles:
    """Add along rows from the left."""
    total = terms[:, 0].copy()
    for column in terms.T[1:]:
        total += column
    return total
