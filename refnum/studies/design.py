"""`Design`: one point of the design space, in words and numbers that a file can hold.

Vocabulary. A *technique* is a choice that costs something and may help: a rotation,
stochastic rounding, a second scale level. A design says which techniques a recipe has;
`refnum.studies.building` makes the recipe of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from refnum.recipes import ROLES
from refnum.studies.words import GEMM_WORDS, ROLE_WORDS, canonical, parts

__all__ = ["Design", "design_of"]

_ELEMENTS = ("e2m1", "e1m2", "e3m0", "int4", "e4m3", "e5m2")
_SCALES = ("ue8m0", "ue4m3", "ue5m3", "ue5m3_ieee", "fp32")
_SCALE_ROUNDINGS = (
    *("", "floor", "ceil", "even", "rceil", "nearest_even", "toward_positive"),
    "toward_zero",
)
_OF_TIME = ("recipe", "switch", "switch_gemms")


@dataclass(frozen=True)
class Design:
    """A recipe by its components, or a published one, and when it is left.

    Fields that have no say, such as the size of a rotation where nothing is rotated,
    are set to their defaults, so that equal recipes are equal designs.

    Parameters
    ----------
    recipe : str
        Name of a published recipe; of the other fields, only those of time are free.
    element, scale : str
        Formats of elements and scales.
    block : int
        Elements that share a scale.
    convention : {"decode", "encode"}
        Which scale is rounded: that which multiplies codes, or that which multiplied
        the values.
    scale_rounding : str
        How the scale is rounded: floor, ceil, even or rceil for powers of two,
        nearest_even, toward_positive or toward_zero otherwise. By default floor and
        nearest_even, and toward_positive for encode scales.
    tensor_scale : bool
        Whether a second scale stands above those of the blocks.
    tiles : bool
        Whether weights have square tiles, whose codes serve fprop and dgrad.
    gemms : str
        Which products are quantised: all, forward, backward, or some of fprop, dgrad
        and wgrad joined by ``+``.
    stochastic : str
        Which roles are rounded stochastically: none, dy, forward, backward, all, or
        roles joined by ``+``.
    random_bits : int
        Of a stochastic rounding.
    rotation : str
        Which products are rotated: none, or as `gemms`.
    rotation_size : int
        Elements of a run; 0 is the block's.
    signs : str
        Of the rotation: none, fixed or step.
    slope : str
        What the weight's gradient goes through on its way back; see
        `refnum.recipes.Slope`.
    requantized : bool
        Whether dgrad and wgrad make W and X from the forward pass's quantised copies.
    four_over_six : bool
        Whether a block's largest magnitude is mapped to 6 or 4, by the error.
    amax : {"current", "delayed", "held"}
        Where the tensor scale's magnitude comes from.
    period : int
        Steps of a delayed or held magnitude.
    outliers : float
        The quantile that activations are clamped to in fprop; 0 clamps nothing.
    switch : float
        Share of the steps, the last ones, in full precision.
    switch_gemms : str
        Which products switch.

    Raises
    ------
    ValueError
        If a value is not allowed.

    Examples
    --------
    >>> from refnum.studies import Design
    >>> print(Design(scale="ue4m3", block=16, tensor_scale=True, stochastic="dy"))
    ue4m3/16, tensor scale, SR dy
    """

    recipe: str = ""
    element: str = "e2m1"
    scale: str = "ue8m0"
    block: int = 32
    convention: str = "decode"
    scale_rounding: str = ""
    tensor_scale: bool = False
    tiles: bool = False
    gemms: str = "all"
    stochastic: str = "none"
    random_bits: int = 8
    rotation: str = "none"
    rotation_size: int = 0
    signs: str = "step"
    slope: str = "ste"
    requantized: bool = False
    four_over_six: bool = False
    amax: str = "current"
    period: int = 1
    outliers: float = 0.0
    switch: float = 0.0
    switch_gemms: str = "all"

    def __post_init__(self) -> None:
        _check_types(self)
        for name, allowed in (
            ("element", _ELEMENTS),
            ("scale", _SCALES),
            ("convention", ("decode", "encode")),
            ("scale_rounding", _SCALE_ROUNDINGS),
            ("signs", ("none", "fixed", "step")),
        ):
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name} is {value!r}; {', '.join(allowed)} are known")
        if not 0 <= self.switch < 1 or not 0 <= self.outliers < 1:
            raise ValueError("switch and outliers must be from 0 to less than 1")
        if self.block < 1 or self.random_bits < 1:
            raise ValueError("block and random_bits must be positive")
        for name, words in (
            ("gemms", GEMM_WORDS),
            ("rotation", GEMM_WORDS),
            ("switch_gemms", GEMM_WORDS),
            ("stochastic", ROLE_WORDS),
        ):
            self._set(name, canonical(name, getattr(self, name), words))
        self._drop_what_has_no_say()

    @property
    def quantized(self) -> tuple[str, ...]:
        """The products that are quantised."""
        return parts(self.gemms, GEMM_WORDS)

    @property
    def stochastic_roles(self) -> tuple[str, ...]:
        """The roles that are rounded stochastically."""
        return parts(self.stochastic, ROLE_WORDS)

    @property
    def rotated(self) -> tuple[str, ...]:
        """The products that are rotated."""
        return parts(self.rotation, GEMM_WORDS)

    @property
    def switched(self) -> tuple[str, ...]:
        """The products that switch."""
        return parts(self.switch_gemms, GEMM_WORDS)

    def facts(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }

    def techniques(self) -> tuple[str, ...]:
        """Return the names of the techniques that it has: its complexity points."""
        if self.recipe:
            return ()
        named = {
            "tensor scale": self.tensor_scale,
            "stochastic rounding": self.stochastic != "none",
            "rotation": self.rotation != "none",
            "gradient relaxation": self.slope != "ste",
            "square weight tiles": self.tiles,
            "four over six": self.four_over_six,
            "delayed amax": self.amax != "current",
            "outlier compensation": self.outliers > 0,
            "late switch": self.switch > 0,
        }
        return tuple(name for name, has in named.items() if has)

    def __str__(self) -> str:
        if self.recipe:
            said = [self.recipe]
        else:
            element = "" if self.element == "e2m1" else f"{self.element} "
            said = [f"{element}{self.scale}/{self.block}", *self._words()]
        if self.switch:
            of = "" if self.switch_gemms == "all" else f"{self.switch_gemms} "
            said.append(f"{of}switched for the last {100 * self.switch:g} %")
        return ", ".join(said)

    def _words(self) -> list[str]:
        rounding = f"{self.scale_rounding} scales" if self.scale_rounding else ""
        size = self.rotation_size or self.block
        signs = "" if self.signs == "step" else f" {self.signs} signs"
        words = {
            "encode": self.convention == "encode",
            rounding: bool(rounding),
            "tensor scale": self.tensor_scale,
            f"{self.amax} amax {self.period}": self.amax != "current",
            "tiles": self.tiles,
            "4/6": self.four_over_six,
            f"{self.gemms} only": self.gemms != "all",
            f"SR {self.stochastic}": self.stochastic != "none",
            f"H{size} {self.rotation}{signs}": self.rotation != "none",
            f"{self.slope} gradient": self.slope != "ste",
            "requantised": self.requantized,
            f"outliers {self.outliers:g}": self.outliers > 0,
        }
        return [word for word, holds in words.items() if holds]

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _drop_what_has_no_say(self) -> None:
        """Set fields without effect to their defaults."""
        defaults = {field.name: field.default for field in fields(self)}
        dead: list[str] = []
        if self.recipe:
            dead += [name for name in defaults if name not in _OF_TIME]
        if not self.recipe:
            self._keep_to_quantized()
        for condition, names in (
            (self.stochastic == "none", ("random_bits",)),
            (self.rotation == "none", ("rotation_size", "signs")),
            (self.rotation_size == self.block, ("rotation_size",)),
            (self.amax == "current", ("period",)),
            (not self.switch, ("switch_gemms",)),
            ("fprop" not in self.quantized, ("slope", "outliers", "requantized")),
            (self.quantized == ("fprop",), ("requantized",)),
        ):
            dead += names if condition else ()
        for name in dead:
            self._set(name, defaults[name])

    def _keep_to_quantized(self) -> None:
        """Leave roles and products out that are not quantised, or reuse codes."""
        if not self.quantized:
            raise ValueError("gemms is none, so there is nothing to quantise")
        alive = set(self.quantized)
        roles = [role for role in self.stochastic_roles if ROLES[role].gemm in alive]
        if self.tiles and "fprop" in alive:
            roles = [role for role in roles if role != "dgrad_w"]
        turned = [gemm for gemm in self.rotated if gemm in alive]
        self._set("stochastic", canonical("stochastic", "+".join(roles), ROLE_WORDS))
        self._set("rotation", canonical("rotation", "+".join(turned), GEMM_WORDS))
        if set(turned) == alive:
            self._set("rotation", "all")


def design_of(facts: Mapping[str, Any]) -> Design:
    """Return a design from some of its fields.

    Parameters
    ----------
    facts : mapping
        Fields of `Design`.

    Raises
    ------
    ValueError
        If a field is unknown, or its value not allowed.
    """
    known = [field.name for field in fields(Design)]
    if unknown := sorted(set(facts) - set(known)):
        raise ValueError(
            f"a design has no {', '.join(map(repr, unknown))}; it has {', '.join(known)}"
        )
    return Design(**facts)


def _check_types(design: Design) -> None:
    for field in fields(design):
        value, default = getattr(design, field.name), field.default
        assert default is not MISSING
        fits = type(value) is type(default)
        if type(default) is float and type(value) is int:
            object.__setattr__(design, field.name, float(value))
            fits = True
        if not fits or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(
                f"{field.name} is {value!r}; like {default!r}, it must be "
                f"{_TYPES[type(default)]}"
            )


_TYPES = {bool: "true or false", int: "an integer", float: "a number", str: "a word"}
