"""`rcp.approx.ftz.f32`: the reciprocal that FlashInfer and vLLM scale with.

The instruction is accurate to 1 ulp and not reproducible from IEEE operations. What
is known of it is a measurement on an H100: for each of the 2**23 mantissas, the
distance in ulps from the correctly rounded reciprocal. The distances were equal at
exponent fields 1, 100, 127, 128, 200 and 252, so one table serves all exponents;
subnormal operands are read as zero and subnormal results written as zero.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

__all__ = ["approximate_reciprocal"]

_MANTISSA = np.uint32(0x7FFFFF)
_SMALLEST_NORMAL = np.float32(2.0**-126)


def approximate_reciprocal(x: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return 1 / x as an H100's ``rcp.approx.ftz.f32`` computes it.

    Parameters
    ----------
    x : array_like of float32
        Operands of any shape.

    Returns
    -------
    ndarray of float32
        The bits that the chip returns; NaN for NaN.

    References
    ----------
    PTX ISA 9.4, section 9.7.3.13 (rcp.approx.ftz); measured on an H100, sm_90.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.blocks import approximate_reciprocal
    >>> approximate_reciprocal(np.float32(0.5))
    array(2., dtype=float32)
    """
    operand = np.asarray(x, np.float32)
    zero = np.abs(operand) < _SMALLEST_NORMAL
    operand = np.where(zero, np.copysign(np.float32(0), operand), operand)
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.asarray(np.float32(1) / operand)
    distance = _distances()[np.atleast_1d(operand).view(np.uint32) & _MANTISSA]
    ordinary = np.isfinite(exact) & (exact != 0)
    bits = np.atleast_1d(exact).view(np.uint32).astype(np.int64)
    moved = (bits + distance).astype(np.uint32).view(np.float32).reshape(exact.shape)
    result = np.where(ordinary, moved, exact)
    tiny = np.abs(result) < _SMALLEST_NORMAL
    return np.where(tiny, np.copysign(np.float32(0), result), result)


@cache
def _distances() -> npt.NDArray[np.int8]:
    with resources.files("refnum.blocks").joinpath("rcp_approx.npz").open("rb") as file:
        return np.load(file)["ulp"]  # type: ignore[no-any-return]
