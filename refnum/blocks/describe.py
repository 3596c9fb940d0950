"""A block format in words: every choice of its record, as text."""

from __future__ import annotations

from refnum.blocks.block_format import BlockFormat
from refnum.blocks.choice import ChosenFormat
from refnum.blocks.rule import ScaleRule
from refnum.formats import Cast, Format, ZeroSign

__all__ = ["describe"]


def describe(fmt: BlockFormat | ChosenFormat) -> str:
    """Return the facts of a block format as lines of ``what: how``.

    Parameters
    ----------
    fmt : BlockFormat or ChosenFormat
        The format.

    Returns
    -------
    str
        One fact a line, the order of operations last.

    Examples
    --------
    >>> import refnum as rn
    >>> print(rn.blocks.describe(rn.MXFP4).splitlines()[0])
    elements: e2m1, nearest_even, finite
    """
    if isinstance(fmt, ChosenFormat):
        tried = ", ".join(f"{c.rule.name} to {_unit(c)}" for c in fmt.candidates)
        return f"tried: {tried}; least {fmt.measure.error}, computed as {fmt.measure.order}\n{describe(fmt.stored)}"
    facts = {
        "elements": f"{fmt.element}, {_cast(fmt.element_cast, fmt.element)}",
        "block": _block(fmt),
        "scales": f"{fmt.scale}, {_cast(fmt.rule.cast_for(fmt.element), fmt.scale)}",
        "bits a value": f"{_bits_a_value(fmt)}",
        "rule": f"{fmt.rule.name}; {_statistic(fmt.rule)} mapped to {_unit(fmt)}",
        "tensor scale": _tensor_scale(fmt),
        "convention": _convention(fmt),
        **_guards(fmt.rule),
        "order": _order(fmt),
    }
    if fmt.prescale != 1.0:
        facts["head-room"] = f"values times {fmt.prescale:g} after the scale is chosen"
    if fmt.levels:
        facts["levels"] = f"one-bit exponents of {', of '.join(map(str, fmt.levels))}"
    if fmt.alternate is not None:
        facts["or else"] = f"{fmt.alternate} times {fmt.alternate_factor:g}, by block"
    return "\n".join(f"{what}: {how}" for what, how in facts.items())


def _cast(cast: Cast, target: Format) -> str:
    resolved = cast.resolve(target)
    assert resolved.saturation is not None
    words = [resolved.rounding.value, resolved.saturation.value]
    if resolved.random_bits is not None:
        words.append(f"{resolved.random_bits} random bits")
    if resolved.via is not None:
        words.append(f"by way of {resolved.via}")
    if resolved.zero_sign is not ZeroSign.KEEP:
        words.append(f"-0 {resolved.zero_sign.value}")
    return ", ".join(words)


def _block(fmt: BlockFormat) -> str:
    if isinstance(fmt.block, tuple):
        return f"{fmt.block[0]} x {fmt.block[1]} elements"
    return f"{fmt.block} elements" if isinstance(fmt.block, int) else f"the {fmt.block}"


def _bits_a_value(fmt: BlockFormat) -> str:
    if isinstance(fmt.block, str):
        return f"{fmt.element.bits}"
    sizes = fmt.block if isinstance(fmt.block, tuple) else (1, fmt.block)
    width = max(fmt.scale_bits, 8)  # a scale is stored in whole bytes
    return f"{fmt.element.bits + width / (sizes[0] * sizes[1]):g}"


def _statistic(rule: ScaleRule) -> str:
    names = {"amax": "the largest magnitude", "std": "the standard deviation"}
    return names[rule.statistic]


def _unit(fmt: BlockFormat) -> str:
    return f"{fmt.rule.unit_of(fmt.element):.9g}"


def _tensor_scale(fmt: BlockFormat) -> str:
    if fmt.tensor_scale is None:
        return "none"
    span, limit = fmt.tensor_scale.span, fmt.tensor_scale.limit
    what = f"{span} elements" if isinstance(span, int) else f"the {span}"
    return f"float32, of {what}; its largest magnitude maps to a scale of {limit:.9g}"


def _convention(fmt: BlockFormat) -> str:
    if fmt.convention == "encode":
        return "encode: the stored scale multiplied the values and divides the codes"
    return "decode: the stored scale multiplies the codes"


def _order(fmt: BlockFormat) -> str:
    steps = "; ".join(fmt.rule.arithmetic.steps)
    return steps if fmt.levels else f"{steps}; all in float32"


def _guards(rule: ScaleRule) -> dict[str, str]:
    """Return what the rule does where the quotient says nothing useful."""
    guards = {}
    if rule.clamp is not None:
        guards["quotient"] = f"clamped to {rule.clamp[0]:g} .. {rule.clamp[1]:g}"
    if rule.amax_floor:
        guards["magnitudes"] = f"at least {rule.amax_floor:g}"
    if rule.zero_block_code is not None:
        guards["zero block"] = f"scale code {rule.zero_block_code}"
    if rule.replace_zero is not None:
        guards["zero scale"] = f"stored as {rule.replace_zero:g}"
    if rule.zero_scale_as is not None:
        guards["zero scale"] = (
            f"stored, but values are divided by {rule.zero_scale_as:.9g}"
        )
    return guards
