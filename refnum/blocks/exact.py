"""The second derivation: one block at a time, by exact fractions.

Nothing here is shared with the fast path but the records. Each value is rounded to
float32 once, and so is the result of each operation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from refnum.blocks import exact_orders as orders
from refnum.blocks.block_format import BlockFormat
from refnum.blocks.exact_levels import quantize_levels, split_levels
from refnum.blocks.exact_orders import ONE, Single, single
from refnum.blocks.rule import ScaleRule
from refnum.formats import Format
from refnum.formats.exact import decode, encode

__all__ = ["dequantize_block", "largest_of", "quantize_block"]


def quantize_block(
    values: Sequence[float],
    block_format: BlockFormat,
    tensor_amax: float | None = None,
    random: Sequence[int] | None = None,
    *,
    alternate: bool = False,
) -> tuple[list[int], int]:
    """Quantise the values of one block.

    Parameters
    ----------
    values : sequence of float
        The block, rounded to float32 first.
    block_format : BlockFormat
        The target.
    tensor_amax : float, optional
        The largest magnitude under the tensor scale; by default the block's own.
    random : sequence of int, optional
        The random bits of each element.
    alternate : bool
        Whether the block uses the alternate elements.

    Returns
    -------
    codes : list of int
        Element codes.
    scale : int
        The scale code.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.blocks import exact
    >>> exact.quantize_block([0.5, -1.0, 3.0, 6.0], rn.MXFP4)
    ([1, 10, 5, 7], 127)
    """
    rule, order = block_format.rule, block_format.rule.arithmetic
    x = [single(value) for value in values]
    a = _statistic(x, rule)
    S = _reference(block_format, tensor_amax, x)
    scale = _scale_code(a, S, block_format)
    stored = _value(scale, block_format.scale)
    if stored.value == 0 and rule.zero_scale_as is not None:
        stored = single(rule.zero_scale_as)
    factor = orders.factor(order.name, stored, S, a)
    if block_format.prescale != 1.0:
        share = single(block_format.prescale)
        factor = factor / share if order.divides else factor * share
    if block_format.levels:
        sized = [one.value for one in x]
        return quantize_levels(sized, scale, factor.value, block_format, random)
    y = [one / factor if order.divides else one * factor for one in x]
    bits = [0] * len(x) if random is None else random
    element, cast = block_format.element, block_format.element_cast
    if alternate and block_format.alternate is not None:
        element, scale = block_format.alternate, scale + 2**block_format.scale.bits
        y = [one * single(1 / block_format.alternate_factor) for one in y]
    codes = [
        encode(one.value, element, cast, r) for one, r in zip(y, bits, strict=True)
    ]
    return codes, scale


def dequantize_block(
    codes: Sequence[int],
    scale: int,
    block_format: BlockFormat,
    tensor_amax: float | None = None,
) -> list[float]:
    """Return the float32 values of one block.

    Parameters
    ----------
    codes : sequence of int
        Element codes.
    scale : int
        The scale code; its top bit chooses the alternate elements, if there are any.
    block_format : BlockFormat
        What the codes mean.
    tensor_amax : float, optional
        The largest magnitude under the tensor scale, which its formats need.

    Raises
    ------
    ValueError
        If `tensor_amax` is missing.

    Examples
    --------
    >>> import refnum as rn
    >>> from refnum.blocks import exact
    >>> exact.dequantize_block([1, 10, 5, 7], 128, rn.MXFP4)
    [1.0, -2.0, 6.0, 12.0]
    """
    element, times = block_format.element, ONE
    if block_format.alternate is not None and scale >= 2**block_format.scale.bits:
        scale -= 2**block_format.scale.bits
        element, times = block_format.alternate, single(block_format.alternate_factor)
    powers = [0] * len(codes)
    if block_format.levels:
        scale, powers = split_levels(scale, block_format)
    q = [
        _value(code, element) * times * Single(2.0**power)
        for code, power in zip(codes, powers, strict=True)
    ]
    factor = _value(scale, block_format.scale)
    encoded = block_format.convention == "encode"
    if block_format.prescale != 1.0:
        share = ONE / single(block_format.prescale)
        factor = factor / share if encoded else factor * share
    outer = ONE
    if block_format.tensor_scale is not None:
        if tensor_amax is None:
            raise ValueError(
                f"{block_format} has a tensor scale: tensor_amax is needed"
            )
        S = _reference(block_format, tensor_amax, [])
        top = single(block_format.tensor_scale.limit * _unit(block_format))
        outer = orders.tensor_scale(
            block_format.rule.arithmetic.name, single(tensor_amax), S, top
        )
    if block_format.rule.arithmetic.combines:
        return [(one * (factor * outer)).value for one in q]
    apart = [one / factor if encoded else one * factor for one in q]
    return [(one * outer).value for one in apart]


def _reference(fmt: BlockFormat, amax: float | None, x: Sequence[Single]) -> Single:
    if fmt.tensor_scale is None:
        return ONE
    g = largest_of(x) if amax is None else single(amax)
    limit, unit = fmt.tensor_scale.limit, _unit(fmt)
    return orders.reference(fmt.rule.arithmetic.name, g, limit, unit)


def _scale_code(a: Single, S: Single, fmt: BlockFormat) -> int:
    rule = fmt.rule
    ratio = orders.ratio(rule.arithmetic.name, a, S, single(_unit(fmt)))
    if rule.clamp is not None:  # a NaN is first in both comparisons, and stays
        ratio = min(max(ratio, rule.clamp[0]), rule.clamp[1])
    if a.value == 0 and rule.zero_block_code is not None:
        return rule.zero_block_code
    first = rule.mantissa_first
    if first is not False and math.isfinite(ratio):
        bits = fmt.element.mantissa_bits if first is True else first
        ratio = _round_mantissa(Fraction(ratio), bits)
    code = encode(ratio, fmt.scale, rule.cast)
    if code == 0 and rule.replace_zero is not None:
        return encode(rule.replace_zero, fmt.scale)
    return code


def _round_mantissa(x: Fraction, bits: int) -> Fraction:
    """Round to that many bits after the leading one, whatever the exponent."""
    spacing = Fraction(1)
    while x >= 2 * spacing:
        spacing *= 2
    while 0 < x < spacing:
        spacing /= 2
    spacing /= 1 << bits
    return round(x / spacing) * spacing  # Python rounds ties to even


def _statistic(x: Sequence[Single], rule: ScaleRule) -> Single:
    if rule.statistic == "amax":
        largest = largest_of(x)
        return single(rule.amax_floor) if largest.value < rule.amax_floor else largest
    total = 0.0
    for one in x:
        total += one.value
    mean, squares = total / len(x), 0.0
    for one in x:
        squares += (one.value - mean) * (one.value - mean)
    return single(math.sqrt(squares / len(x)))


def largest_of(x: Sequence[Single]) -> Single:
    """Return the largest magnitude; a NaN wins over everything."""
    sizes = [abs(one.value) for one in x]
    nan = any(math.isnan(size) for size in sizes)
    return Single(math.nan if nan else max(sizes, default=0.0))


def _unit(fmt: BlockFormat) -> float:
    """Return the element value that a block's amax maps to."""
    if fmt.rule.unit == "max":
        return fmt.element.max
    if fmt.rule.unit == "power":
        return 2.0 ** (math.frexp(fmt.element.max)[1] - 1)
    return float(fmt.rule.unit)


def _value(code: int, fmt: Format) -> Single:
    return Single(float(decode(code, fmt)))
