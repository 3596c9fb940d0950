"""What designs cost: the share of BF16's time on one model, at given speeds."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refnum.recipes import ModelShape, Recipe, Schedule, SpeedMap, cost_of
from refnum.studies.building import recipe_of, schedule_of
from refnum.studies.design import Design

__all__ = ["Costs"]

_MODELS = {
    "llama-9m": (128, 352, 128),
    "llama-60m": (512, 1376, 512),
    "llama-350m": (1024, 2736, 1024),
    "llama-1b": (2048, 5456, 2048),
    "llama-7b": (4096, 11008, 4096),
}
# As an H100 has them: 495 T multiply-adds in BF16, some 16 T operations on elements and
# 3.35 TB from memory in a second.
_ELEMENTWISE, _BANDWIDTH = 1 / 32, 1 / 148
_STEPS = 10000  # over which the share of a switch is counted


@dataclass(frozen=True)
class Costs:
    """A model, and speeds.

    Parameters
    ----------
    model : str
        Whose linear layers and attention are counted: one block of it, as blocks are
        alike and the head is in full precision everywhere.
    speeds : SpeedMap
        Speeds relative to BF16.

    Examples
    --------
    >>> from refnum.studies import Costs, Design
    >>> f"{Costs().products(Design()):.3f} {Costs().time(Design()):.3f}"
    '0.357 0.492'
    """

    model: str = "llama-7b"
    speeds: SpeedMap = SpeedMap(elementwise=_ELEMENTWISE, bandwidth=_BANDWIDTH)  # noqa: RUF009 frozen

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Costs:
        """Return what a study's file asks for.

        Raises
        ------
        ValueError
            If the model or a speed is unknown.
        """
        given = dict(table)
        model = given.pop("model", cls.model)
        if model not in _MODELS:
            raise ValueError(f"cost: {model!r} is unknown; {', '.join(_MODELS)} are")
        known = [field.name for field in dataclasses.fields(SpeedMap)]
        for name, value in given.items():
            if name not in known or isinstance(value, bool | str):
                raise ValueError(
                    f"cost: {name} = {value!r}; numbers of {', '.join(known)} are"
                )
        return cls(model, dataclasses.replace(cls().speeds, **given))

    def time(self, design: Design | None) -> float:
        """Return the time of a step over that in BF16, work on elements included."""
        return _relative(design, self.model, self.speeds)[0]

    def products(self, design: Design | None) -> float:
        """Return the same for products alone, as papers count."""
        return _relative(design, self.model, self.speeds)[1]


@functools.lru_cache(maxsize=1 << 16)
def _relative(
    design: Design | None, model: str, speeds: SpeedMap
) -> tuple[float, float]:
    """Return time and products, before and after a switch in their shares."""
    if design is None:
        return 1.0, 1.0
    if not design.switch:
        return _of_recipe(recipe_of(design), model, speeds)
    before = _relative(dataclasses.replace(design, switch=0.0), model, speeds)
    whole = schedule_of(design, _STEPS)
    assert isinstance(whole, Schedule)
    after = _of_recipe(whole.recipe_at(_STEPS), model, speeds)
    share = design.switch
    time, products = (
        (1 - share) * one + share * other
        for one, other in zip(before, after, strict=True)
    )
    return time, products


def _of_recipe(
    recipe: Recipe | None, model: str, speeds: SpeedMap
) -> tuple[float, float]:
    width, hidden, context = _MODELS[model]
    shape = ModelShape.llama(width, hidden, layers=1, context=context)
    cost = cost_of(recipe, shape, speeds)
    endless = dataclasses.replace(speeds, elementwise=math.inf, bandwidth=math.inf)
    return cost.relative, dataclasses.replace(cost, speeds=endless).relative
