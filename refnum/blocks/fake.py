"""Fake quantisation: the values that a quantised array stands for, without its codes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.choice import ChosenFormat
from refnum.blocks.geometry import Geometry
from refnum.blocks.laid import lay_out
from refnum.blocks.on_grids import round_on_grids_of_blocks
from refnum.blocks.passes import round_slabs
from refnum.blocks.quantize import (
    as_float32,
    as_words,
    dequantize,
    must_be,
    quantize,
    stored_format,
)

__all__ = ["fake_quantize"]


def fake_quantize(
    x: npt.ArrayLike,
    block_format: BlockFormat | ChosenFormat,
    *,
    axis: int = -1,
    random: npt.ArrayLike | None = None,
    tensor_amax: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float32]:
    """Round an array to the values that a block format has.

    The result is that of ``dequantize(quantize(x, ...))``, bit for bit, in one pass
    over the array as it lies in memory: along any axis, nothing is transposed.

    Parameters
    ----------
    x, block_format, axis, random, tensor_amax
        As for `quantize`.

    Returns
    -------
    ndarray of float32
        Values of the shape of `x`.

    Raises
    ------
    TypeError, ValueError
        As `quantize`.

    Examples
    --------
    >>> import refnum as rn
    >>> rn.blocks.fake_quantize([[0.5, -1.1, 3.0, 6.0]], rn.MXFP4)
    array([[ 0.5, -1. ,  3. ,  6. ]], dtype=float32)
    """
    stored = stored_format(block_format)
    must_be(stored, BlockFormat, "block_format")
    values = as_float32(x)
    words = None if random is None else as_words(random, values.shape)
    geometry = Geometry.of(values.shape, axis, stored)
    laid = None
    if isinstance(block_format, BlockFormat):
        laid = lay_out(values, geometry, stored, tensor_amax)
    if laid is None:
        q = quantize(
            values, block_format, axis=axis, random=words, tensor_amax=tensor_amax
        )
        return dequantize(q).astype(np.float32, copy=False)
    bits = None if words is None else words.reshape(laid.slabs.shape)
    with np.errstate(all="ignore"):  # infinities and NaNs are results here
        rounded = None if bits is not None else round_on_grids_of_blocks(laid, stored)
        if rounded is None:
            rounded = round_slabs(laid, stored, bits)
    return rounded.reshape(values.shape)
