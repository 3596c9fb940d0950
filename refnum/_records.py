"""Records as keys: tables and plans are looked up by formats, in every call."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

__all__ = ["hashed_once"]

_Record = TypeVar("_Record")

_KEPT = "_hash"


def hashed_once(cls: type[_Record]) -> type[_Record]:
    """Let each record of a frozen dataclass compute its hash but once.

    A format has a dozen fields, records and strings among them. Fields alone are pickled:
    in another process strings have other hashes, and tables are made anew.
    """
    compute = cls.__hash__

    def __hash__(self: Any) -> int:
        found = self.__dict__.get(_KEPT)
        if found is None:
            found = self.__dict__[_KEPT] = compute(self)
        return int(found)

    def __getstate__(self: Any) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    setattr(cls, "__hash__", __hash__)  # noqa: B010 mypy does not let methods be assigned
    setattr(cls, "__getstate__", __getstate__)  # noqa: B010
    return cls
