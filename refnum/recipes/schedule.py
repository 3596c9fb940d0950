"""Recipes over time: when which layers and products switch to another recipe.

Vocabulary. A *switch* replaces the recipe of some layers and products, from a step on,
or from when their gradients drown in the noise of quantisation. A *schedule* is a
first recipe and its switches, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from math import inf, sqrt
from typing import Any

from refnum.recipes import registry
from refnum.recipes.gemm import Gemm
from refnum.recipes.operand import Operand
from refnum.recipes.recipe import Recipe
from refnum.recipes.roles import GEMMS

__all__ = ["SQRT_3", "Schedule", "Switch", "target_precision", "with_gemms_of"]

SQRT_3 = sqrt(3)
"""Below this ratio of gradient to noise, four bits no longer train."""

Own = Callable[[Recipe | None], Recipe | None]


@dataclass(frozen=True)
class Switch:
    """One change of recipe.

    Parameters
    ----------
    to : Recipe, str or None
        The recipe that takes over, or its name; None is full precision.
    at : int or None
        The first step under it, counted from 1. None waits for the ratio.
    gemms : tuple of str
        The products that switch: ``fprop``, ``dgrad``, ``wgrad``.
    layers : tuple of str
        Patterns of the layers that switch; all if empty.
    ratio : float
        Without `at`: a layer switches when the ratio of its gradient to the noise of
        quantisation falls below this.

    Raises
    ------
    ValueError
        If a name is unknown, or a number out of range.

    References
    ----------
    Chmiel et al., "FP4 All the Way", arXiv 2505.19115, section 4: the threshold
    sqrt(3). NVIDIA, arXiv 2509.25149, section 5: switching fprop alone.
    """

    to: Recipe | str | None
    at: int | None = None
    gemms: tuple[str, ...] = ("fprop", "dgrad", "wgrad")
    layers: tuple[str, ...] = ()
    ratio: float = SQRT_3

    def __post_init__(self) -> None:
        if isinstance(self.to, str):
            object.__setattr__(self, "to", registry.find(self.to))
        if self.at is not None and (isinstance(self.at, bool) or self.at < 1):
            raise ValueError(f"at is {self.at!r}; a step from 1 on is allowed")
        if not self.gemms or any(gemm not in GEMMS for gemm in self.gemms):
            raise ValueError(
                f"gemms are {self.gemms}; some of {', '.join(GEMMS)} are allowed"
            )
        if not 0 < self.ratio < inf:
            raise ValueError(f"ratio is {self.ratio}; it must be positive and finite")

    def means(self, layer: str) -> bool:
        """Return whether a layer is among those that switch."""
        return not self.layers or any(fnmatchcase(layer, one) for one in self.layers)


@dataclass(frozen=True)
class Schedule:
    """A recipe, and what it changes to.

    Parameters
    ----------
    first : Recipe, str or None
        The recipe at first, or its name; None is full precision.
    switches : tuple of Switch
        What changes; a later one goes before an earlier one.

    Examples
    --------
    >>> from refnum.recipes import Schedule, Switch
    >>> late = Schedule("nvfp4", (Switch("bf16", at=820, gemms=("fprop",)),))
    >>> at_819, at_820 = late.recipe_at(819), late.recipe_at(820)
    >>> at_819.name, at_820.name, at_820.wgrad_x.format.name
    ('nvfp4', 'nvfp4, fprop of bf16', 'nvfp4')
    """

    first: Recipe | str | None
    switches: tuple[Switch, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.first, str):
            object.__setattr__(self, "first", registry.find(self.first))
        if not all(isinstance(one, Switch) for one in self.switches):
            raise TypeError(f"switches must be Switch records: {self.switches!r}")

    @property
    def recipes(self) -> tuple[Recipe | None, ...]:
        """All recipes that may hold at some step, for checks of shapes."""
        every = [self.first, *(switch.to for switch in self.switches)]
        return tuple(one for one in every if not isinstance(one, str))

    def recipe_at(
        self,
        step: int,
        layer: str = "",
        own: Own = lambda recipe: recipe,
        switched: Mapping[str, int] | None = None,
    ) -> Recipe | None:
        """Return the recipe of a layer at a step.

        Parameters
        ----------
        step : int
            From 1.
        layer : str
            The layer's name.
        own : callable
            Chooses a layer's recipe among a recipe's overrides.
        switched : mapping of str to int, optional
            Layers whose ratio has fallen too low, and the step after.
        """
        assert not isinstance(self.first, str)
        recipe = own(self.first)
        fell = (switched or {}).get(layer)
        for switch in self.switches:
            at = fell if switch.at is None else switch.at
            if at is None or step < at or not switch.means(layer):
                continue
            assert not isinstance(switch.to, str)
            recipe = with_gemms_of(recipe, own(switch.to), switch.gemms)
        return recipe

    def triggered(
        self, ratios: Mapping[str, float], switched: Mapping[str, int]
    ) -> list[str]:
        """Return the layers whose ratio lies below that of a waiting switch."""
        waiting = [switch for switch in self.switches if switch.at is None]
        return [
            layer
            for layer, ratio in ratios.items()
            if layer not in switched
            and any(s.means(layer) and ratio < s.ratio for s in waiting)
        ]


def target_precision(
    recipe: Recipe | str, steps: int, share: float, target: Recipe | str | None = None
) -> Schedule:
    """Return low precision for most of a training, and a last stage in the target's.

    Parameters
    ----------
    recipe : Recipe or str
        Of the first stage.
    steps : int
        Of the whole training.
    share : float
        Of the steps that the last stage takes, from 0 to 1.
    target : Recipe, str or None
        Of the last stage; full precision without.

    Returns
    -------
    Schedule
        The last ``round(share * steps)`` steps, which count from 1, are in the target
        precision.

    References
    ----------
    Zhou et al., arXiv 2502.11458: target precision training schedule.

    Examples
    --------
    >>> target_precision("exploring-fp4", steps=1000, share=0.1).switches[0].at
    901
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; from 0 to 1 is allowed")
    first = steps - round(share * steps) + 1
    return Schedule(recipe, (Switch(target, at=first),))


@lru_cache(maxsize=256)
def with_gemms_of(
    recipe: Recipe | None, other: Recipe | None, gemms: tuple[str, ...]
) -> Recipe | None:
    """Return a recipe whose given products are those of another one.

    Parameters
    ----------
    recipe, other : Recipe or None
        None is full precision.
    gemms : tuple of str
        Which products to take from `other`.

    Notes
    -----
    Roles that reuse the codes of a forward operand keep its format when fprop alone
    goes: the weight's tiles are then made from the weight.
    """
    if set(gemms) == set(GEMMS):
        return other
    base = recipe or _plain()
    new = other or _plain()
    fields: dict[str, Any] = {}
    if "fprop" in gemms:
        fields["upkeep"] = new.upkeep
    for gemm in gemms:
        fields[gemm] = getattr(new, gemm)
        fields |= {role: getattr(new, role) for role in GEMMS[gemm]}
    for role, forward in (("dgrad_w", "fprop_w"), ("wgrad_x", "fprop_x")):
        giver = new if role in fields else base
        operand = getattr(giver, role)
        leaves = (forward in fields) != (role in fields)
        if leaves and operand is not None and operand.source == "codes":
            fields[role] = getattr(giver, forward)
    for role, slope in _without_slopes(base, fields).items():
        fields[role] = slope
    name = f"{base}, {' and '.join(gemms)} of {other or 'full precision'}"
    return replace(base, **fields, name=name)


def _without_slopes(
    base: Recipe, fields: Mapping[str, Operand | Gemm | None]
) -> dict[str, Operand | Gemm | None]:
    """Return forward operands less their slopes, where they are reused elsewhere."""
    found: dict[str, Operand | Gemm | None] = {}
    for role in ("dgrad_w", "wgrad_x"):
        operand = fields.get(role)
        if isinstance(operand, Operand) and not operand.slope.is_plain:
            found[role] = replace(operand, slope=type(operand.slope)())
    return found


def _plain() -> Recipe:
    return Recipe(None, None, None, None, None, None, name="full precision")
