"""`mma`: what a matrix instruction writes, by the readable models.

A product deeper than one instruction chains instructions in the order of k, each
result being the next accumulator. `gemm` computes the same faster.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refnum.blocks import Quantized
from refnum.formats import FP16, Format, decode
from refnum.products import catalog
from refnum.products.instruction import MatrixInstruction
from refnum.products.operands import product_shape, read_operands
from refnum.products.readable import chain
from refnum.products.rounding import Result, Values, to_storage

__all__ = ["mma"]


def mma(
    a: npt.ArrayLike | Quantized,
    b: npt.ArrayLike | Quantized,
    c: npt.ArrayLike,
    instruction: str | MatrixInstruction,
    *,
    scale_a: npt.ArrayLike | None = None,
    scale_b: npt.ArrayLike | None = None,
) -> Result:
    """Return D = A B + C with every bit as the instruction writes it.

    Parameters
    ----------
    a, b : array_like of codes, shape (..., M, K) and (..., K, N), or Quantized
        Operands. TF32 operands are 19-bit codes or whole 32-bit registers.
    c : array_like of float32 or float16, shape (..., M, N)
        Accumulator, values of the type of D; broadcast where it is smaller.
    instruction : str or MatrixInstruction
        The instruction or its name.
    scale_a, scale_b : array_like of codes, shape (..., M, K/block), (..., K/block, N)
        Block scales, for the kinds that apply them.

    Returns
    -------
    ndarray of float32 or float16, shape (..., M, N)
        D, with the NaN that the chip writes.

    Raises
    ------
    TypeError
        If codes are no integers or `c` is not of the type of D.
    ValueError
        If shapes do not fit, a code is out of range, or scales are missing.

    Notes
    -----
    A `Quantized` tensor's block scales are applied; its tensor scale is no business
    of the instruction, and `gemm` multiplies it at the end.

    Examples
    --------
    Hopper keeps 13 bits below the largest term of an FP8 step: 2**-6 is lost.

    >>> import numpy as np
    >>> import refnum as rn
    >>> a = rn.encode([[256.0, 2.0**-6]], rn.E4M3)
    >>> b = rn.encode([[1.0], [1.0]], rn.E4M3)
    >>> zero = np.zeros((1, 1), np.float32)
    >>> rn.mma(a, b, zero, "sm90.wgmma.e4m3.e4m3.f32")
    array([[256.]], dtype=float32)
    >>> rn.mma(a, b, zero, "sm100.tcgen05.e4m3.e4m3.f32")
    array([[256.01562]], dtype=float32)
    """
    op = catalog.instruction(instruction)
    left, right = read_operands(a, b, op, scale_a, scale_b)
    shape = product_shape(left, right)
    start = read_accumulator(c, op.d, shape)
    return to_storage(chain(left, right, start, op), op.d, op.nan_code)


def read_accumulator(c: npt.ArrayLike, d: Format, shape: tuple[int, ...]) -> Values:
    """Return C as float64 of the shape of D, or raise."""
    array = np.asarray(c)
    expected = np.dtype(np.float16 if d == FP16 else np.float32)
    if array.dtype != expected:
        raise TypeError(f"c must have the type of D, {expected}, not {array.dtype}")
    try:
        array = np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"c has shape {array.shape}, but D has {shape}") from None
    codes = np.ascontiguousarray(array).view(d.dtype)
    # Through the codec, which carries signalling NaNs over without a warning.
    values = decode(codes, d, np.float64).astype(np.float64, copy=False)
    return values.reshape(shape)
