"""Block formats as JSON, whole: a file says itself what its codes mean.

A record is an object whose ``record`` names the class; formats of the catalogue and
orders of operations stand by name. Reading makes records of these classes alone, and
each checks its own fields.
"""

from __future__ import annotations

import dataclasses
import math
from enum import Enum
from typing import Any

from refnum import formats
from refnum.blocks import (
    BlockFormat,
    ScaleRule,
    TensorScale,
    arithmetic,
    block_format,
    names,
)
from refnum.formats import Cast, Format
from refnum.formats import format as find_format

__all__ = ["from_json", "to_json"]

_RECORDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (BlockFormat, Cast, ScaleRule, TensorScale)
}
_ENUMS: dict[str, type[Enum]] = {
    name: value
    for name, value in vars(formats).items()
    if isinstance(value, type) and issubclass(value, Enum)
}
# Those with a name of their own, and those that a named block format alone has.
_ARITHMETIC = {
    value.name: value
    for value in (
        *vars(arithmetic).values(),
        *(block_format(name).stored.rule.arithmetic for name in names()),
    )
    if isinstance(value, arithmetic.Arithmetic)
}


def to_json(value: Any) -> Any:
    """Return a record in JSON's types.

    Raises
    ------
    ValueError
        If it has a format or an order of operations that no name leads to.
    """
    if isinstance(value, Format):
        if _format_or_none(value.name) != value:
            raise ValueError(
                f"{value} is no format of the catalogue: a file cannot say it"
            )
        return {"format": value.name}
    if isinstance(value, arithmetic.Arithmetic):
        if _ARITHMETIC.get(value.name) is not value:
            raise ValueError(f"the arithmetic {value.name} is none of refnum's own")
        return {"arithmetic": value.name}
    if isinstance(value, Enum):
        return {"enum": type(value).__name__, "value": value.value}
    if type(value).__name__ in _RECORDS:
        fields = {
            f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
        return {"record": type(value).__name__, **fields}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):  # JSON has none
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{value!r} has no place in a file")


def from_json(value: Any) -> Any:
    """Return the record of JSON's types.

    Raises
    ------
    ValueError
        If it is none, or its fields do not make one.
    """
    if isinstance(value, list):
        return tuple(from_json(item) for item in value)
    if not isinstance(value, dict):
        return value
    try:
        if value.keys() == {"format"}:
            return find_format(value["format"])
        if value.keys() == {"arithmetic"}:
            return _ARITHMETIC[value["arithmetic"]]
        if value.keys() == {"float"}:
            return float(value["float"])
        if value.keys() == {"enum", "value"}:
            return _ENUMS[value["enum"]](value["value"])
        rest = dict(value)
        kind = _RECORDS[rest.pop("record")]
        return kind(**{name: from_json(item) for name, item in rest.items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{_short(value)} is no record: {error}") from None


def _format_or_none(name: str) -> Format | None:
    try:
        return find_format(name)
    except ValueError:
        return None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
