"""The deviations of block formats: scales, their arithmetic, elements and geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import refnum.blocks.arithmetic as orders
from refnum.blocks import (
    Arithmetic,
    BlockFormat,
    ChosenFormat,
    Measure,
    ScaleRule,
    TensorScale,
    block_format,
    names,
    rule,
)
from refnum.formats import FORMATS
from refnum.golden.diagnosis.blocks import AnyFormat, Quantization
from refnum.golden.diagnosis.casts import cast_deviations, field, library_deviations
from refnum.golden.diagnosis.deviation import Deviation, lift
from refnum.golden.diagnosis.layout import block_moves

__all__ = ["block_deviations", "scale_deviations"]

Edit = Callable[[Any], Any]

_RULES = tuple(one for one in vars(rule).values() if isinstance(one, ScaleRule))
_ORDERS = tuple(one for one in vars(orders).values() if isinstance(one, Arithmetic))
# Their reference is the scale that multiplies a tensor, so that parts can be mixed.
_MIXED = (
    orders.TRANSFORMER_ENGINE,
    orders.FOUR_OVER_SIX,
    orders.FLASHINFER,
    orders.VLLM,
    orders.COMPRESSED_TENSORS,
    orders.HELD_REFERENCE,
)
_PLAIN = (orders.EXACT, orders.DIVIDE, orders.MULTIPLY, orders.CEILING_DIVIDE)
_APPROXIMATE = replace(
    orders.MULTIPLY, name="approximate", ratio=orders.FLASHINFER.ratio
)
_UNITS = ("max", "power", 2.0, 4.0, 6.0, 7.0, 7.25, 8.0, 256.0, 448.0)
_BLOCKS = (8, 16, 32, 64, 128, (16, 16), (32, 32), "row", "tensor")
_LIMITS = (1.0, 2.0, 128.0, 240.0, 256.0, 384.0, 448.0, 480.0, 57344.0, 114688.0)
_READS = ("flushed", "bf16", "bf16 truncated", "fp16")


def block_deviations(record: Quantization) -> tuple[Deviation, ...]:
    """Return the deviations of a quantised array."""
    fmt = record.format.stored
    found = lift(_format_deviations(fmt), "", _in_format)
    found += list(_uses(record))
    found += list(block_moves(fmt.element, fmt.scale))
    found += list(_choices(record.format))
    found += list(_presets(record.format))
    return tuple(found)


def scale_deviations(fmt: BlockFormat) -> tuple[Deviation, ...]:
    """Return the deviations of a scale rule alone."""
    other = [f for f in FORMATS if f.bits <= 8 and f.signed and f != fmt.element]
    return (
        *lift(_rules(fmt), "", _in_rule),
        *(field("element", f"scale for elements {f}", "element", f) for f in other),
    )


def _format_deviations(fmt: BlockFormat) -> Iterator[Deviation]:
    """Yield edits of one `BlockFormat`."""
    yield from _tensor_scales(fmt)
    yield from lift(_rules(fmt), "", _in_rule)
    for size in _BLOCKS:
        text = "x".join(map(str, size)) if isinstance(size, tuple) else size
        yield field("block", f"block {text}", "block", size)
    for convention in ("decode", "encode"):
        name = f"{convention} scales: values stand for code "
        name += "* scale" if convention == "decode" else "/ scale"
        yield field("convention", name, "convention", convention)
    yield field("prescale", "without the head-room", "prescale", 1.0)
    for other in FORMATS:
        if other.bits <= 8 and other.signed:
            yield field("element", f"elements {other}", "element", other)
        if other.bits <= 8 and not other.signed:
            yield field("scale format", f"scales {other}", "scale", other)
    yield from lift(cast_deviations(fmt.element), "elements", _in_element_cast)
    yield from lift(library_deviations(fmt.element), "elements", _in_element_cast)


def _rules(fmt: BlockFormat) -> Iterator[Deviation]:
    """Yield edits of a `ScaleRule`."""
    for other in _RULES:
        # A rule without a tensor scale in it is no rule for a format with one.
        yield Deviation(
            f"scale rule {other.name}", "rule", partial(_become, other), whole=True
        )
    outer = fmt.tensor_scale is not None
    own = [order for order in _ORDERS if order not in _PLAIN]
    for order in own if outer else (*_PLAIN, _APPROXIMATE):
        yield field("arithmetic", f"scale order {order.name}", "arithmetic", order)
    group = _MIXED if outer else (*_PLAIN, _APPROXIMATE)
    for order in group:
        name = f"scale computed in the order of {order.name}"
        yield Deviation(name, "ratio", partial(_mix_ratio, order))
        name = f"elements scaled in the order of {order.name}"
        yield Deviation(name, "factor", partial(_mix_factor, order))
    yield from _limits(fmt)
    yield from lift(cast_deviations(fmt.scale), "scales", _in_cast)


def _limits(fmt: BlockFormat) -> Iterator[Deviation]:
    """Yield what a `ScaleRule` maps to what, and what it makes of extreme scales."""
    for unit in _UNITS:
        text = f"largest {unit}" if isinstance(unit, str) else f"{unit:g}"
        yield field("unit", f"block maximum mapped to {text}", "unit", unit)
    for first in (False, True):
        word = "after" if first else "without"
        name = f"scale {word} rounding to the element's mantissa"
        yield field("mantissa first", name, "mantissa_first", first)
    yield field("clamp", "scale ratio not clamped", "clamp", None)
    for low in (fmt.scale.smallest_normal, fmt.scale.smallest_subnormal):
        limits = float(low), float(fmt.scale.max)
        name = f"scale ratio clamped to {limits[0]:g} and {limits[1]:g}"
        yield field("clamp", name, "clamp", limits)
    yield field("amax floor", "no floor of the maximum", "amax_floor", 0.0)
    yield field("amax floor", "maximum at least 1e-4", "amax_floor", 1e-4)
    for code in (None, 0, 1, 127, 128, fmt.scale.max_code):
        word = "as rounding gives it" if code is None else f"{code:#04x}"
        name = f"scale of a block of zeros {word}"
        yield field("zero block", name, "zero_block_code", code)
    for value in (1.0, float(fmt.scale.smallest_subnormal)):
        name = f"a zero scale counts as {value:g}"
        yield field("zero scale", name, "zero_scale_as", value)
        name = f"a zero scale is stored as {value:g}"
        yield field("stored zero scale", name, "replace_zero", value)


def _tensor_scales(fmt: BlockFormat) -> Iterator[Deviation]:
    """Yield edits of the tensor scale: none, another limit, another span."""
    outer = fmt.tensor_scale
    if outer is None:
        for limit in _LIMITS:
            name = f"extra tensor scale for block scales up to {limit:g}"
            change = partial(_add_tensor_scale, TensorScale(limit))
            yield Deviation(name, "tensor scale", change)
        return
    yield field("tensor scale", "no tensor scale", "tensor_scale", None)
    for limit in _LIMITS:
        name = f"tensor scale for block scales up to {limit:g}"
        changed = TensorScale(limit, outer.span)
        yield field("tensor scale", name, "tensor_scale", changed)
    for other in ("tensor", "row", 128):
        name = f"tensor scale for each {other}"
        name += " elements" if isinstance(other, int) else ""
        changed = TensorScale(outer.limit, other)
        yield field("tensor scale", name, "tensor_scale", changed)


def _uses(record: Quantization) -> Iterator[Deviation]:
    """Yield what happens around the format: reading, geometry, decoding."""
    for how in _READS:
        yield field("reading", f"values read as {how}", "read", how)
    for axis in (-1, -2, 0):
        if axis != record.axis:
            yield field("axis", f"blocks along axis {axis}", "axis", axis)
    block = record.format.stored.block
    if isinstance(block, int):
        for late in sorted({1, -1, block // 2} - {0}):
            name = (
                f"blocks begin {abs(late)} elements {'late' if late > 0 else 'early'}"
            )
            yield field("geometry", name, "late", late)
    for away, word in ((1, "next"), (-1, "previous")):
        yield field("geometry", f"scale of the {word} block", "borrowed", away)
    for use, text in (
        ("never", "values without the tensor scale"),
        ("twice", "tensor scale applied twice to values"),
        ("inverse", "values divided by the tensor scale"),
    ):
        yield field("values", text, "applied", use)
    yield field("values", "values divided by the block scale", "divided", True)


def _choices(fmt: AnyFormat) -> Iterator[Deviation]:
    """Yield the ways to choose otherwise, or not at all."""
    if not isinstance(fmt, ChosenFormat):
        return
    for place, candidate in enumerate(fmt.candidates, 1):
        name = f"always candidate {place}, {candidate}"
        yield field("format", name, "format", candidate)
    reverse = replace(fmt, candidates=fmt.candidates[::-1])
    yield field("format", "a tie takes the last candidate", "format", reverse)
    for error in ("mse", "mae", "amax"):
        for order in ("float64", "transformer_engine", "quartet_ii"):
            name = f"error {error} in the order of {order}"
            yield Deviation(name, "measure", partial(_measure, error, order))


def _presets(fmt: AnyFormat) -> Iterator[Deviation]:
    """Yield the block formats of other libraries."""
    for name in names():
        other = block_format(name)
        if other.stored.element_cast.random_bits is None and other != fmt:
            change = partial(_take_preset, other)
            yield Deviation(f"block format {name}", "format", change, whole=True)


def _add_tensor_scale(outer: TensorScale, fmt: BlockFormat) -> BlockFormat:
    """Return the format with a tensor scale, in the order of Transformer Engine."""
    rule = replace(fmt.rule, arithmetic=orders.TRANSFORMER_ENGINE)
    return replace(fmt, tensor_scale=outer, rule=rule)


def _take_preset(fmt: AnyFormat, record: Quantization) -> Quantization:
    return replace(record, format=fmt)


def _become(other: ScaleRule, _: ScaleRule) -> ScaleRule:
    return other


def _mix_ratio(order: Arithmetic, rule: ScaleRule) -> ScaleRule:
    own = rule.arithmetic
    if own not in (*_MIXED, *_PLAIN, _APPROXIMATE) or own.ratio is order.ratio:
        return rule
    mixed = replace(own, name=f"{own.name}, ratio of {order.name}", ratio=order.ratio)
    return replace(rule, arithmetic=mixed)


def _mix_factor(order: Arithmetic, rule: ScaleRule) -> ScaleRule:
    own = rule.arithmetic
    if own not in (*_MIXED, *_PLAIN, _APPROXIMATE) or own.factor is order.factor:
        return rule
    name = f"{own.name}, factor of {order.name}"
    mixed = replace(own, name=name, factor=order.factor, divides=order.divides)
    return replace(rule, arithmetic=mixed)


def _measure(error: str, order: str, record: Quantization) -> Quantization:
    if not isinstance(record.format, ChosenFormat):
        raise TypeError(f"{record.format} does not choose")
    chosen = replace(record.format, measure=Measure(error, order))
    return replace(record, format=chosen)


def _in_format(record: Quantization, edit: Edit) -> Quantization:
    fmt = record.format
    if isinstance(fmt, ChosenFormat):
        candidates = tuple(map(edit, fmt.candidates))
        return replace(record, format=replace(fmt, candidates=candidates))
    return replace(record, format=edit(fmt))


def _in_rule(fmt: BlockFormat, edit: Edit) -> BlockFormat:
    return replace(fmt, rule=edit(fmt.rule))


def _in_cast(rule: ScaleRule, edit: Edit) -> ScaleRule:
    return replace(rule, cast=edit(rule.cast))


def _in_element_cast(fmt: BlockFormat, edit: Edit) -> BlockFormat:
    return replace(fmt, element_cast=edit(fmt.element_cast))
