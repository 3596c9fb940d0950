"""Grids and samples: from axes to designs.

An axis is a list of values of one field of `Design`; where fields go together, as
blocks with scale formats, its values are tables of fields, and its name is free.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refnum.studies.building import recipe_of
from refnum.studies.design import Design, design_of

__all__ = ["Designs", "grid", "sample"]


@dataclass(frozen=True)
class Designs:
    """Designs, each once, and what could not be made.

    Parameters
    ----------
    designs : tuple of Design
        In the order of the axes; the last one changes first.
    refused : tuple of str
        Why other points of the space are no recipes.
    repeated : int
        How many points were designs that had been there.
    """

    designs: tuple[Design, ...]
    refused: tuple[str, ...]
    repeated: int


def grid(axes: Mapping[str, Any]) -> Designs:
    """Return all combinations of values.

    Parameters
    ----------
    axes : mapping of str to value or list of values
        By field of `Design`.

    Raises
    ------
    ValueError
        If a field is unknown, an axis empty, or no combination is a recipe.

    Examples
    --------
    >>> from refnum.studies import grid
    >>> found = grid({"scale": ["ue8m0", "ue4m3"], "stochastic": ["none", "dy"]})
    >>> [str(design) for design in found.designs]
    ['ue8m0/32', 'ue8m0/32, SR dy', 'ue4m3/32', 'ue4m3/32, SR dy']
    """
    return _designs(itertools.product(*_tables(axes)), limit=None)


def sample(axes: Mapping[str, Any], count: int, seed: int) -> Designs:
    """Return designs drawn at random, each axis by itself.

    Parameters
    ----------
    axes : mapping of str to value or list of values
        By field of `Design`.
    count : int
        How many different designs; all there are, if there are fewer.
    seed : int
        Of the draws.

    Raises
    ------
    ValueError
        As `grid`; or if `count` is not positive.
    """
    if type(count) is not int or count < 1:
        raise ValueError(f"count is {count!r}; a positive integer is allowed")
    tables = _tables(axes)
    size = math.prod(map(len, tables))
    order = random.Random(seed).sample(range(size), min(size, 50 * count))
    return _designs((_point(tables, number) for number in order), limit=count)


def _tables(axes: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """Return each axis as a list of tables of fields."""
    found = []
    for name, values in axes.items():
        listed = values if isinstance(values, list) else [values]
        if not listed:
            raise ValueError(f"the axis {name!r} has no values")
        found.append([v if isinstance(v, Mapping) else {name: v} for v in listed])
    return [[dict(table) for table in axis] for axis in found]


def _point(tables: list[list[dict[str, Any]]], number: int) -> list[dict[str, Any]]:
    """Return the point of that number, the last axis changing first."""
    point = []
    for axis in reversed(tables):
        number, place = divmod(number, len(axis))
        point.append(axis[place])
    return point[::-1]


def _designs(points: Any, limit: int | None) -> Designs:
    found: dict[Design, None] = {}
    refused: list[str] = []
    repeated = 0
    for point in points:
        if limit is not None and len(found) >= limit:
            break
        design = design_of({k: v for table in point for k, v in table.items()})
        if design in found:
            repeated += 1
            continue
        try:
            recipe_of(design)
        except ValueError as error:
            refused.append(f"{design}: {error}")
        else:
            found[design] = None
    if not found:
        raise ValueError("no design is a recipe: " + "; ".join(refused[:1]))
    return Designs(tuple(found), tuple(refused), repeated)
