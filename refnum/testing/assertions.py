"""Assertions that say which bit differs, in the manner of `numpy.testing`.

All compare bits, not values: +0 is not -0. The one exception is NaN in arrays of
values, where any NaN is right for a NaN unless ``nan="bits"`` is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import BlockFormat, Quantized
from refnum.formats import Format
from refnum.formats import format as find_format
from refnum.products import EXACT, Accumulator, MatrixInstruction, gemm, matmul
from refnum.testing.bits import (
    as_codes,
    as_floats,
    assert_same,
    code_text,
    first_line,
    float_text,
    word_text,
)

__all__ = [
    "assert_codes_equal",
    "assert_product_equal",
    "assert_quantized_equal",
    "assert_values_equal",
]


def assert_codes_equal(
    actual: npt.ArrayLike,
    desired: npt.ArrayLike,
    fmt: Format | str,
    *,
    err_msg: str = "",
) -> None:
    """Raise an AssertionError unless two arrays of codes are equal.

    Parameters
    ----------
    actual, desired : array_like of integers
        Codes, of one shape.
    fmt : Format or str
        What they mean; the message has both values of each difference.
    err_msg : str
        Goes first in the message.

    Raises
    ------
    AssertionError
        If a code or the shape differs.
    TypeError
        If either holds no integers.
    ValueError
        If a desired code is none of the format.

    Examples
    --------
    >>> from refnum.testing import assert_codes_equal
    >>> assert_codes_equal([126, 1], [126, 1], "e4m3")
    >>> assert_codes_equal([126, 2], [126, 1], "e4m3")
    Traceback (most recent call last):
        ...
    AssertionError: e4m3 codes are not equal
    1 of 2 differ (50 %)
    at [1]: got 02 = 2^-8, want 01 = 2^-9, bits xor 03
    """
    meaning = find_format(fmt) if isinstance(fmt, str) else fmt
    got, want = as_codes(actual, "actual"), as_codes(desired, "desired")
    if want.size and int(want.max()) >> meaning.bits:
        raise ValueError(
            f"desired has the code {int(want.max()):#x}; {meaning} has {meaning.bits} bits"
        )
    title = f"{meaning} codes are not equal"
    assert_same(got, want, code_text(meaning), title, err_msg)


def assert_values_equal(
    actual: npt.ArrayLike,
    desired: npt.ArrayLike,
    *,
    nan: str = "any",
    err_msg: str = "",
) -> None:
    """Raise an AssertionError unless two arrays of floats have the same bits.

    Parameters
    ----------
    actual, desired : array_like of float16, float32 or float64
        Values, of one shape and type. Python numbers are float64.
    nan : {"any", "bits"}
        Whether every NaN is right for a NaN, or its payload counts.
    err_msg : str
        Goes first in the message.

    Raises
    ------
    AssertionError
        If a bit, the shape or the type differs.
    TypeError
        If either holds no floats.
    ValueError
        If `nan` is neither ``"any"`` nor ``"bits"``.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.testing import assert_values_equal
    >>> assert_values_equal(np.float32([0.5, np.nan]), np.float32([0.5, -np.nan]))
    >>> assert_values_equal(np.float32([0.0]), np.float32([-0.0]))
    Traceback (most recent call last):
        ...
    AssertionError: float32 values are not equal
    1 of 1 differ (100 %)
    at [0]: got 00000000 = 0, want 80000000 = -0, bits xor 80000000
    """
    if nan not in ("any", "bits"):
        raise ValueError(f"nan is {nan!r}; any or bits is allowed")
    got, want = as_floats(actual, "actual"), as_floats(desired, "desired")
    if got.dtype != want.dtype:
        raise AssertionError(
            f"{first_line(err_msg)}types are not equal: got {got.dtype}, want {want.dtype}"
        )
    kind = np.dtype(f"u{got.dtype.itemsize}")
    same = None
    if nan == "any" and got.shape == want.shape:
        same = np.isnan(got) & np.isnan(want)
    title = f"{got.dtype} values are not equal"
    says = float_text(got.dtype)
    assert_same(got.view(kind), want.view(kind), says, title, err_msg, same)


def assert_quantized_equal(
    actual: Quantized, desired: Quantized, *, err_msg: str = ""
) -> None:
    """Raise an AssertionError at the first stage where two quantised arrays differ.

    The stages stand in the order in which a kernel computes them: tensor scale, scale
    codes, element codes. A wrong scale makes wrong codes, so later stages are silent
    once an earlier one differs.

    Parameters
    ----------
    actual, desired : Quantized
        Of formats that decode alike.
    err_msg : str
        Goes first in the message.

    Raises
    ------
    AssertionError
        If a stage differs; the message names it.
    TypeError
        If either is not a `Quantized`.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.testing import assert_quantized_equal
    >>> x = [[1.0, 2.0, 3.0, 5.0]]
    >>> one, other = rn.quantize(x, rn.MXFP4), rn.quantize(x, rn.blocks.MXFP4_NVIDIA)
    >>> assert_quantized_equal(one, one)
    >>> assert_quantized_equal(rn.quantize([[6.5]], rn.MXFP4),
    ...                        rn.quantize([[6.5]], rn.blocks.MXFP4_NVIDIA))
    Traceback (most recent call last):
        ...
    AssertionError: scales are not equal (the first stage that differs)
    1 of 1 differ (100 %)
    at [0, 0]: got 7f = 1, want 80 = 2, bits xor ff
    """
    for name, value in (("actual", actual), ("desired", desired)):
        if not isinstance(value, Quantized):
            raise TypeError(f"{name} must be Quantized, not {type(value).__name__}")
    first = first_line(err_msg)
    for attribute, got, want in _facts(actual, desired):
        if got != want:
            raise AssertionError(f"{first}{attribute}: got {got}, want {want}")
    _assert_tensor_scales(actual.tensor_scale, desired.tensor_scale, err_msg)
    fmt = desired.format
    says = code_text(fmt.scale) if fmt.scale_bits == fmt.scale.bits else word_text
    note = "are not equal (the first stage that differs)"
    assert_same(actual.scales, desired.scales, says, f"scales {note}", err_msg)
    says = code_text(fmt.element)
    assert_same(actual.codes, desired.codes, says, f"codes {note}", err_msg)


def assert_product_equal(
    actual: npt.ArrayLike,
    a: Any,
    b: Any,
    by: MatrixInstruction | Accumulator | str = EXACT,
    *,
    err_msg: str = "",
    **schedule: Any,
) -> None:
    """Raise an AssertionError unless a product has the bits that refnum computes.

    Parameters
    ----------
    actual : array_like of float32, float16 or codes, shape (..., M, N)
        What a kernel wrote.
    a, b : array_like or Quantized, shape (..., M, K) and (..., K, N)
        Its operands, as `refnum.gemm` or `refnum.matmul` takes them.
    by : MatrixInstruction, str or Accumulator
        An instruction or its name, for `refnum.gemm`; or an order of addition, for
        `refnum.matmul`.
    err_msg : str
        Goes first in the message.
    **schedule
        Options of `refnum.gemm`, as ``promote_every=128``.

    Raises
    ------
    AssertionError
        If a bit differs, NaN payloads apart.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.testing import assert_product_equal
    >>> a, b = np.float32([[1, 2**-25]]), np.float32([[1], [1]])
    >>> assert_product_equal(np.float32([[1]]), a, b)
    """
    if isinstance(by, Accumulator):
        if schedule:
            raise TypeError(f"{', '.join(schedule)}: options of an instruction alone")
        desired = matmul(a, b, accumulator=by)
    else:
        desired = gemm(a, b, by, **schedule)
    if schedule.get("out") is not None:
        assert_codes_equal(actual, desired, schedule["out"], err_msg=err_msg)
    else:
        assert_values_equal(actual, desired, err_msg=err_msg)


def _assert_tensor_scales(got: Any, want: Any, err_msg: str) -> None:
    if (got is None) != (want is None):
        raise AssertionError(
            f"{first_line(err_msg)}tensor_scale: got {got}, want {want} "
            "(the first stage that differs)"
        )
    if want is None:
        return
    one, other = (np.asarray(x, np.float32).view(np.uint32) for x in (got, want))
    title = "tensor scales are not equal (the first stage that differs)"
    says = float_text(np.dtype(np.float32))
    assert_same(one, other, says, title, err_msg)


def _facts(one: Quantized, other: Quantized) -> list[tuple[str, str, str]]:
    """Return what must agree before bits can be compared, as texts."""
    return [
        ("formats", _decoding(one.format), _decoding(other.format)),
        ("axes", _axis(one), _axis(other)),
    ]


def _decoding(fmt: BlockFormat) -> str:
    """Return the choices of a block format that its decoder reads."""
    return (
        f"{fmt.element}, {fmt.scale}, block {fmt.block}, {fmt.convention} scale, "
        f"prescale {fmt.prescale:g}, alternate {fmt.alternate}, levels {fmt.levels}"
    )


def _axis(q: Quantized) -> str:
    return str(q.axis % max(q.codes.ndim, 1))
