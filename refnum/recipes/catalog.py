"""Recipes by name, and all names."""

from __future__ import annotations

from refnum.recipes.published import (  # noqa: F401  each publishes its recipes
    all_fp4,
    backward_mxfp4,
    baselines,
    exploring,
    graphcore,
    mor,
    mxfp4_studies,
    nvidia,
    quartet,
    tetrajet,
    wang,
)
from refnum.recipes.recipe import Recipe
from refnum.recipes.registry import find, published

__all__ = ["get", "names"]


def get(name: str | Recipe) -> Recipe:
    """Return the recipe of that name; a record is returned as is.

    Parameters
    ----------
    name : str or Recipe
        One of `names`; case, ``-`` and ``_`` do not matter.

    Returns
    -------
    Recipe
        The record.

    Raises
    ------
    ValueError
        If there is none; the message lists near names.
    TypeError
        If `name` is neither a string nor a recipe.

    Examples
    --------
    >>> from refnum import recipes
    >>> recipes.get("NVFP4").wgrad_dy.rotation.size
    16
    """
    if isinstance(name, Recipe):
        return name
    found = find(name)
    assert isinstance(found, Recipe)
    return found


def names() -> tuple[str, ...]:
    """Return the names of all published recipes, sorted.

    Examples
    --------
    >>> from refnum import recipes
    >>> "quartet-ii" in recipes.names()
    True
    """
    return published()
