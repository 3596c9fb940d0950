"""The recipes that have a name: filled by the files that publish them."""

from __future__ import annotations

import difflib
from typing import Any

__all__ = ["find", "publish", "published"]

_BY_NAME: dict[str, Any] = {}


def publish(*recipes: Any) -> None:
    """Make recipes known by their names."""
    for recipe in recipes:
        if recipe.name in _BY_NAME:
            raise ValueError(f"there is already a recipe {recipe.name!r}")
        _BY_NAME[recipe.name] = recipe


def find(name: str) -> Any:
    """Return the recipe of that name; the message of its error lists near ones."""
    if not isinstance(name, str):
        raise TypeError(f"a recipe is named by a string, not {name!r}")
    key = name.lower().replace("_", "-")
    if key in _BY_NAME:
        return _BY_NAME[key]
    near = difflib.get_close_matches(key, _BY_NAME, n=5, cutoff=0.4)
    raise ValueError(
        f"unknown recipe {name!r}; near names: {', '.join(near or published())}"
    )


def published() -> tuple[str, ...]:
    """Return all names, sorted."""
    return tuple(sorted(_BY_NAME))
