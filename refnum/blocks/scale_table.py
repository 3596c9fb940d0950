"""Scales read from a table, where the largest magnitude alone decides them.

With the `EXACT` arithmetic a magnitude, divided by a power of two, is rounded to the
scale format; nothing else counts. As in `refnum.formats.tables`, the leading bits of a
float32, the last of which stands for all that follow, say on which side of every value
and midpoint of that format it lies, as long as these are normal numbers. So they are an
index, from which the code of the scale, its value and its factor are read.
"""

from __future__ import annotations

from functools import lru_cache
from math import frexp
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks.arithmetic import EXACT
from refnum.blocks.block_format import BlockFormat
from refnum.blocks.scaling import Scales, Singles, compute_scales
from refnum.formats.tables import table_index

__all__ = ["has_table", "scale_blocks", "scale_index", "scale_table"]

Words = npt.NDArray[np.uint32]

_SHIFT = 16  # bits that an index drops: seven of the fraction's remain
_MOST_BITS = 4  # of a significand that is rounded to: two more, and a spare one
_LOWEST = 2.0**-125  # a magnitude, of which the half is a normal number too
_LEAST = 1 << 10  # blocks, for which a look-up is worth its table


def scale_blocks(statistic: Singles, reference: Singles, fmt: BlockFormat) -> Scales:
    """Return what `compute_scales` does, in the fastest way."""
    first = fmt.rule.mantissa_first  # True and 1 are not the same, but equal
    if statistic.size < _LEAST or not has_table(fmt, first):
        return compute_scales(statistic, reference, fmt)
    index = scale_index(statistic.view(np.uint32))
    codes, decoded, factors = (
        column.take(index, mode="wrap") for column in scale_table(fmt, first)
    )
    return Scales(codes, decoded, factors)


def scale_index(sizes: Words) -> Words:
    """Return where in the table the bits of magnitudes stand."""
    index = np.empty(sizes.shape, np.uint32)
    table_index(sizes, _SHIFT, index)
    return index


@lru_cache(maxsize=64, typed=True)
def has_table(fmt: BlockFormat, _: bool | int) -> bool:
    """Whether thresholds have few bits, and lie among normal magnitudes."""
    cast = fmt.rule.cast_for(fmt.element).resolve(fmt.scale)
    first = 0 if cast.via is None else cast.via.mantissa_bits
    unit = fmt.rule.unit_of(fmt.element)
    return (
        fmt.rule.arithmetic is EXACT
        and unit >= 1
        and frexp(unit)[0] == 0.5  # a power of two
        and unit * fmt.scale.smallest_subnormal >= _LOWEST
        and fmt.rule.statistic == "amax"
        and fmt.rule.clamp is None
        and fmt.tensor_scale is None
        and not cast.rounding.is_stochastic
        and max(first, fmt.scale.mantissa_bits) <= _MOST_BITS
    )


@lru_cache(maxsize=16, typed=True)
def scale_table(fmt: BlockFormat, _: bool | int) -> tuple[npt.NDArray[Any], ...]:
    """Return codes, values and factors at every index."""
    patterns = np.arange(1 << (31 - _SHIFT), dtype=np.uint32) << np.uint32(_SHIFT)
    scales = compute_scales(patterns.view(np.float32), np.ones((), np.float32), fmt)
    return scales.codes, scales.decoded, scales.factors
