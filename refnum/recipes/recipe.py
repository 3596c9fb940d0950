"""`Recipe`: how a linear layer computes its three products.

A recipe is checked when it is made: one that no hardware and no simulation could mean
is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from types import MappingProxyType

from refnum.recipes import registry
from refnum.recipes.check import check_channels, check_recipe, check_upkeep
from refnum.recipes.cost import Cost, add_up
from refnum.recipes.details import Channels
from refnum.recipes.gemm import Gemm
from refnum.recipes.model_shape import LinearShape, ModelShape
from refnum.recipes.operand import Operand
from refnum.recipes.roles import GEMMS, ROLES
from refnum.recipes.speeds import STATED_SPEEDS, SpeedMap
from refnum.recipes.upkeep import OscillationReset, Ramping

__all__ = ["KINDS", "Override", "Recipe", "recipe_of_layer"]

KINDS = ("attention", "mlp", "head", "other")
"""What a linear layer may be part of."""

_PLAIN = Gemm()


@dataclass(frozen=True)
class Override:
    """Another recipe for some layers.

    Parameters
    ----------
    recipe : Recipe, str or None
        What these layers use, or its name; None is full precision.
    kinds : tuple of str
        The kinds of layer that are meant: attention, mlp, head, other. All if empty.
    first, last : int
        The blocks that are meant, counted from either end. All if both are 0.
    names : tuple of str
        Patterns of dotted names, as ``"blocks.*.query"``. All if empty.

    Raises
    ------
    ValueError
        If a recipe or a kind is unknown, or nothing says which layers are meant.
    """

    recipe: Recipe | str | None
    kinds: tuple[str, ...] = ()
    first: int = 0
    last: int = 0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.recipe, str):
            object.__setattr__(self, "recipe", registry.find(self.recipe))
        if not isinstance(self.recipe, Recipe | None):
            raise TypeError(f"recipe must be a Recipe or its name, not {self.recipe!r}")
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise ValueError(f"kinds {unknown} are unknown; {', '.join(KINDS)} are not")
        if self.first < 0 or self.last < 0:
            raise ValueError(
                f"first={self.first} and last={self.last} must not be negative"
            )
        if not (self.kinds or self.first or self.last or self.names):
            raise ValueError("an override names kinds, blocks or layers; it has none")

    def applies(self, name: str, kind: str, block: int | None, blocks: int) -> bool:
        """Return whether a layer is meant.

        Parameters
        ----------
        name, kind : str
            The layer's.
        block : int or None
            Number of the block that it stands in, None outside of them.
        blocks : int
            How many blocks there are.
        """
        if self.kinds and kind not in self.kinds:
            return False
        if self.names and not any(fnmatchcase(name, one) for one in self.names):
            return False
        if not (self.first or self.last):
            return True
        if block is None:
            return False
        return block < self.first or block >= blocks - self.last

    def __str__(self) -> str:
        places = [f"kind {kind}" for kind in self.kinds]
        places += [f"first {self.first} blocks"] if self.first else []
        places += [f"last {self.last} blocks"] if self.last else []
        places += list(self.names)
        return f"{', '.join(places)}: {self.recipe or 'full precision'}"


@dataclass(frozen=True)
class Recipe:
    """How a linear layer computes.

    Parameters
    ----------
    fprop_x, fprop_w, dgrad_dy, dgrad_w, wgrad_dy, wgrad_x : Operand or None
        The operand of each role; None leaves it unquantised.
    fprop, dgrad, wgrad : Gemm
        How each product adds up.
    overrides : tuple of Override
        Recipes of some layers; the first that applies to a layer holds, and its own
        overrides are not asked.
    channels : Channels, optional
        Outlier channels of the input that fprop and wgrad take in a wider format.
    upkeep : Ramping or OscillationReset, optional
        What is done to the master weights around updates.
    padded : bool
        Whether an axis of reduction may be no multiple of the block: the last block is
        then filled with zeros.
    name : str
        Its name in files and messages.
    reference : str
        Where it was published.
    read, inferred : str
        What the publication says, and what had to be inferred.

    Raises
    ------
    ValueError
        If the recipe is impossible; the message says why and what is allowed.

    Examples
    --------
    >>> from refnum.recipes import Operand, Recipe, Rotation
    >>> plain = Operand("mxfp4")
    >>> Recipe(plain, plain, plain, plain, plain, plain).fprop_x.format.name
    'mxfp4'
    >>> turned = Operand("mxfp4", rotation=Rotation(32))
    >>> Recipe(turned, plain, None, None, None, None)
    Traceback (most recent call last):
    ValueError: fprop: fprop_x is rotated by H32 and fprop_w is not: they do not \
cancel; both operands of a product need the same rotation
    """

    fprop_x: Operand | None
    fprop_w: Operand | None
    dgrad_dy: Operand | None
    dgrad_w: Operand | None
    wgrad_dy: Operand | None
    wgrad_x: Operand | None
    fprop: Gemm = _PLAIN
    dgrad: Gemm = _PLAIN
    wgrad: Gemm = _PLAIN
    overrides: tuple[Override, ...] = ()
    channels: Channels | None = None
    upkeep: Ramping | OscillationReset | None = None
    padded: bool = False
    name: str = ""
    reference: str = ""
    read: str = ""
    inferred: str = ""

    def __post_init__(self) -> None:
        for role in ROLES:
            if not isinstance(getattr(self, role), Operand | None):
                raise TypeError(f"{role} must be an Operand or None")
        for gemm in GEMMS:
            if not isinstance(getattr(self, gemm), Gemm):
                raise TypeError(f"{gemm} must be a Gemm")
        if not all(isinstance(one, Override) for one in self.overrides):
            raise TypeError(f"overrides must be Override records: {self.overrides!r}")
        check_recipe(self.operands, self.gemms)
        if self.channels is not None:
            check_channels(self.operands, self.gemms)
        if self.upkeep is not None:
            check_upkeep(self.fprop_w, self.upkeep)

    @property
    def operands(self) -> Mapping[str, Operand | None]:
        """The operand of each role by name."""
        return MappingProxyType(self._operands)

    @property
    def gemms(self) -> Mapping[str, Gemm]:
        """The three products by name."""
        return MappingProxyType(self._gemms)

    @cached_property
    def _operands(self) -> dict[str, Operand | None]:
        return {role: getattr(self, role) for role in ROLES}

    @cached_property
    def _gemms(self) -> dict[str, Gemm]:
        return {gemm: getattr(self, gemm) for gemm in GEMMS}

    @property
    def is_plain(self) -> bool:
        """Whether nothing is quantised and nothing said about products."""
        untouched = all(operand is None for operand in self.operands.values())
        return untouched and all(gemm == _PLAIN for gemm in self.gemms.values())

    def cost(self, model: ModelShape, speeds: SpeedMap = STATED_SPEEDS) -> Cost:
        """Return what a step of a model costs: see `refnum.recipes.cost_of`.

        Parameters
        ----------
        model : ModelShape
            What is multiplied.
        speeds : SpeedMap
            Speeds relative to BF16.
        """

        def operands_of(layer: LinearShape) -> Mapping[str, Operand | None] | None:
            own = recipe_of_layer(
                self, layer.name, layer.kind, layer.block, model.blocks
            )
            return None if own is None else own.operands

        return add_up(str(self), operands_of, model, speeds)

    def __str__(self) -> str:
        return self.name or "a recipe without a name"


def recipe_of_layer(
    recipe: Recipe | None, name: str, kind: str, block: int | None, blocks: int
) -> Recipe | None:
    """Return the recipe of one layer: that of the first override, or the whole's.

    Parameters
    ----------
    recipe : Recipe or None
        Of the model; None is full precision.
    name, kind : str
        The layer's.
    block : int or None
        Number of its block.
    blocks : int
        How many blocks the model has.

    Examples
    --------
    >>> from refnum import recipes
    >>> nvfp4 = recipes.get("nvfp4")
    >>> recipes.recipe_of_layer(nvfp4, "head", "head", None, 2) is None
    True
    """
    if recipe is None:
        return None
    for override in recipe.overrides:
        if override.applies(name, kind, block, blocks):
            chosen = override.recipe
            assert not isinstance(chosen, str)
            return chosen
    return recipe
