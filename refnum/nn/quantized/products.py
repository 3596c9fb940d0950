"""`QuantizedProducts`: the three products of a linear layer under a recipe.

The way of an operand: from its source (the array, or the forward pass's copy), rotated
along the axis that the product reduces, quantised in blocks along that axis,
dequantised, multiplied. Its rounding counts as the identity in the backward pass, or
has the slope that the recipe gives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.nn.quantized.averaged_rounding import AveragedRounding
from refnum.nn.quantized.contraction import multiply, transposed
from refnum.nn.quantized.operands import Taken, rotate, take
from refnum.nn.quantized.rounding_words import Site
from refnum.nn.quantized.sharing import Shared, is_fixed, is_pure
from refnum.nn.quantized.slopes import (
    relaxation_of,
    scale_gradient_of,
    through_rounding,
)
from refnum.nn.quantized.wide_channels import WideChannels, columns
from refnum.nn.states.tensor_amax import TensorAmax
from refnum.recipes import GEMMS, ROLES, Operand, Recipe, check_shapes

__all__ = ["Observer", "QuantizedProducts"]

_Array = npt.NDArray[np.floating[Any]]


class Observer:
    """Sees every operand and every gradient; this one does nothing."""

    def operand(self, layer: str, role: str, operand: Operand, taken: Taken) -> None:
        """Take note of an operand; its codes are there."""

    def gradient(
        self, layer: str, gemm: str, result: _Array, a: _Array, b: _Array
    ) -> None:
        """Take note of the result of dgrad or wgrad; a b is the exact one."""


@dataclass
class _Saved:
    """What the backward pass needs."""

    recipe: Recipe
    x: _Array
    weight: _Array
    taken_x: Taken
    taken_w: Taken
    site: Site


class QuantizedProducts:
    """The products of one linear layer under a recipe.

    Parameters
    ----------
    recipe : Recipe
        What it computes. Its overrides are not asked.
    seed : int
        Of the random bits.
    layer : str
        The layer's name, which random bits depend on.
    shared : Shared, optional
        What layers of one model have in common.

    Notes
    -----
    `begin` says which step follows. Within a step, calls count up, so that each draws
    bits of its own. Set `observer` to see operands with their codes.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum import recipes
    >>> from refnum.nn import QuantizedProducts
    >>> products = QuantizedProducts(recipes.get("mxfp4"), seed=0, layer="fc")
    >>> x, w = np.full((1, 32), 1.1, np.float32), np.ones((1, 32), np.float32)
    >>> y, saved = products.forward(x, w)
    >>> y
    array([[32.]], dtype=float32)
    """

    def __init__(
        self,
        recipe: Recipe,
        seed: int = 0,
        layer: str = "",
        shared: Shared | None = None,
    ) -> None:
        if not isinstance(recipe, Recipe):
            raise TypeError(f"recipe must be a Recipe, not {recipe!r}")
        for operand in (recipe.fprop_x, recipe.fprop_w):
            if operand is not None:
                relaxation_of(operand)  # refuses options that its record has not
                scale_gradient_of(operand)
        self.recipe = recipe
        self.seed = seed
        self.layer = layer
        self.step = 0
        self.observer: Observer | None = None
        self.amax = TensorAmax()
        self.averaged = AveragedRounding()
        self.channels = WideChannels()
        self.shared = shared
        self._calls = 0
        self._checked: tuple[Recipe, dict[str, int]] = (recipe, {})
        self._weights: dict[str, tuple[_Array, Taken]] = {}

    def begin(self, step: int) -> None:
        """Say that a step begins; the recipe may have changed."""
        self.step = step
        self._calls = 0
        self._weights.clear()
        self.amax.begin(step)

    @contextmanager
    def nothing_remembered(self) -> Iterator[None]:
        """Leave what later steps depend on as it is, whatever a block computes."""
        kept = deepcopy((self.amax, self.averaged, self.channels)), self._calls
        try:
            yield
        finally:
            (self.amax, self.averaged, self.channels), self._calls = kept

    def quantized_weight(self, weight: _Array) -> _Array:
        """Return what `fprop_w` makes of a weight that has one quantised value."""
        site = Site(self.seed, self.step, self.layer)
        return take(weight, "fprop_w", self.recipe.fprop_w, site).values

    def forward(self, x: _Array, weight: _Array) -> tuple[_Array, Any]:
        """Return Y = X W^T and what the backward pass needs.

        Parameters
        ----------
        x : ndarray, shape (M, K)
            Activations.
        weight : ndarray, shape (N, K)
            Weights.

        Raises
        ------
        ValueError
            If a block or a rotation does not divide K.
        """
        self._check("fprop", x.shape[1])
        site = Site(self.seed, self.step, self.layer, self._calls)
        self._calls += 1
        if self.recipe.channels is not None:
            self.channels.record(x, self.recipe.channels, self.step)
        taken_x = self._take("fprop_x", x, site)
        taken_w = self._take("fprop_w", weight, site)
        y = multiply(taken_x, transposed(taken_w), self.recipe.fprop)
        kept_x = self._kept(taken_x, "fprop_x", "wgrad_x")
        kept_w = self._kept(taken_w, "fprop_w", "dgrad_w")
        saved = _Saved(self.recipe, x, weight, kept_x, kept_w, site)
        return y.astype(x.dtype, copy=False), saved

    def backward(
        self, dy: _Array, saved: Any, needs: tuple[bool, bool]
    ) -> tuple[_Array | None, _Array | None]:
        """Return the gradients of x and of the weight.

        Parameters
        ----------
        dy : ndarray, shape (M, N)
            Gradient of Y.
        saved : object
            What `forward` returned.
        needs : (bool, bool)
            Which of the two are asked for.

        Raises
        ------
        ValueError
            If a block or a rotation does not divide M or N.
        RuntimeError
            If the layer has another recipe than in the forward pass.
        """
        if saved.recipe is not self.recipe and saved.recipe != self.recipe:
            raise RuntimeError(
                f"{self.layer or 'layer'}: the forward pass had the recipe "
                f"{saved.recipe}, the backward pass has {self.recipe}; both must come "
                "before the recipe changes"
            )
        dx = dw = taken_dy = None
        if needs[0]:
            self._check("dgrad", dy.shape[1])
            taken_dy = self._take("dgrad_dy", dy, saved.site)
            dx = self._dgrad(taken_dy, saved).astype(dy.dtype, copy=False)
            if self.observer is not None:
                self.observer.gradient(self.layer, "dgrad", dx, dy, saved.weight)
        if needs[1]:
            self._check("wgrad", dy.shape[0])
            if taken_dy is None or not self._same("dgrad_dy", "wgrad_dy"):
                taken_dy = self._take("wgrad_dy", dy, saved.site)
            dw = self._wgrad(dy, taken_dy, saved).astype(dy.dtype, copy=False)
            if self.observer is not None:
                self.observer.gradient(self.layer, "wgrad", dw, dy.T, saved.x)
        return dx, dw

    def _dgrad(self, taken_dy: Taken, saved: _Saved) -> _Array:
        taken = saved.taken_w
        if not self._same("fprop_w", "dgrad_w"):
            taken = self._take("dgrad_w", saved.weight, saved.site, saved.taken_w)
        dx = multiply(taken_dy, taken, self.recipe.dgrad)
        return self._pass_back(dx, "fprop_x", "dgrad_w", saved.taken_x)

    def _wgrad(self, dy: _Array, taken_dy: Taken, saved: _Saved) -> _Array:
        taken = saved.taken_x
        if not self._same("fprop_x", "wgrad_x"):
            taken = self._take("wgrad_x", saved.x, saved.site, saved.taken_x)
        dw = multiply(transposed(taken_dy), taken, self.recipe.wgrad)
        rule, operand = self.recipe.channels, self.recipe.wgrad_dy
        chosen = None if rule is None else self.channels.outliers(self.step)
        if rule is not None and operand is not None and chosen is not None:
            wide = self.channels.gradient_operand(dy, operand, rule, saved.site)
            part = multiply(transposed(wide), columns(taken, chosen), self.recipe.wgrad)
            dw[:, chosen] = part
        return self._pass_back(dw, "fprop_w", "wgrad_x", saved.taken_w)

    def _pass_back(
        self, gradient: _Array, role: str, other: str, taken: Taken
    ) -> _Array:
        """Pass a gradient through the forward rounding, and rotate it back."""
        operand = self.recipe.operands[other]
        rotated = (
            taken.rotation is not None
            and operand is not None
            and operand.source != "original"
        )
        gradient = through_rounding(gradient, taken, self.recipe.operands[role])
        if rotated:
            assert taken.rotation is not None
            gradient = rotate(gradient, taken.rotation, taken.signs, 1, inverse=True)
        return gradient

    def _take(
        self, role: str, array: _Array, site: Site, forward: Taken | None = None
    ) -> Taken:
        operand = self.recipe.operands[role]
        held = self._weights.get(role) if self.observer is None else None
        if held is not None and np.array_equal(held[0], array):
            return held[1]
        rule = self.recipe.channels
        alone = self.observer is not None or rule is not None
        shared = self.shared if not alone and is_pure(operand) else None
        if shared is not None and operand is not None:
            found = shared.find(role, array, operand)
            if found is not None:
                return found
        kernel = self.recipe.gemms[ROLES[role].gemm].kernel
        averaged = operand is not None and operand.average > 0
        sloped = operand is not None and not operand.slope.is_plain
        taken = take(
            array,
            role,
            operand,
            site,
            forward=forward,
            references=self.amax,
            with_codes=bool(
                kernel or self.observer or sloped or averaged or self._reused(role)
            ),
        )
        if operand is not None and averaged:
            taken = self.averaged.round(taken, array, operand, self.step)
        if operand is not None and rule is not None:
            taken = self.channels.widen(taken, role, operand, rule, site)
        if self.observer is not None and operand is not None:
            self.observer.operand(self.layer, role, operand, taken)
        if ROLES[role].tensor == "w" and is_fixed(operand):
            self._weights[role] = (array.copy(), taken)
        elif shared is not None and operand is not None:
            shared.keep(role, array, operand, taken)
        return taken

    def _kept(self, taken: Taken, role: str, later: str) -> Taken:
        """Return what the backward pass needs of a forward operand.

        A slope that is not plain reads what was quantised, and its codes.
        """
        operand, user = self.recipe.operands[role], self.recipe.operands[later]
        copied = user is not None and user.source != "original"
        sloped = operand is not None and not operand.slope.is_plain
        needed = copied or sloped or self._same(role, later)
        return taken if needed else taken.only_rotation()

    def _reused(self, role: str) -> bool:
        """Whether a later product multiplies the codes of this role."""
        return any(
            product.kernel is not None
            and any(
                self._same(role, user) or _reads_codes(self.recipe.operands[user])
                for user in GEMMS[gemm]
            )
            for gemm, product in self.recipe.gemms.items()
        )

    def _same(self, one: str, other: str) -> bool:
        """Whether two roles have the same operand, codes and all."""
        a, b = self.recipe.operands[one], self.recipe.operands[other]
        if a is None or b is None:
            return a is b
        return a == b and a.is_axis_free and is_fixed(a) and a.rotation is None

    def _check(self, gemm: str, length: int) -> None:
        """Raise unless blocks and rotations divide what a product reduces."""
        recipe = self.recipe
        if self._checked[0] is not recipe:
            self._checked = recipe, {}
        if self._checked[1].get(gemm) != length:
            where = self.layer or "layer"
            check_shapes(recipe.operands, {gemm: length}, where, recipe.padded)
            self._checked[1][gemm] = length


def _reads_codes(operand: Operand | None) -> bool:
    return operand is not None and operand.source == "codes"
