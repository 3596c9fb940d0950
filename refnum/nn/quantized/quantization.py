"""`quantize_model`: a recipe for every linear layer of a model, and its state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.nn.linear import FULL_PRECISION, Linear
from refnum.nn.module import Module, modules
from refnum.nn.optimizers import Optimizer
from refnum.nn.quantized.products import Observer, QuantizedProducts
from refnum.nn.quantized.reports import Report, Reporter
from refnum.nn.quantized.sharing import Shared
from refnum.nn.quantized.upkeep import Upkeep
from refnum.recipes import Recipe, Schedule, check_shapes, get, recipe_of_layer

__all__ = ["Quantization", "quantize_model"]

State = dict[str, npt.NDArray[Any]]
_KINDS = ("amax", "average", "channels", "upkeep", "switched", "ratio")


class Quantization:
    """What makes the linear layers of one model quantised.

    Parameters
    ----------
    layers : mapping of str to Linear
        All linear layers by name.
    schedule : Schedule
        Which recipe holds at which step.
    seed : int
        Of the random bits.

    Notes
    -----
    `quantize_model` makes it. Call `begin` before each step, and `update` in place of
    the optimiser's own step.
    """

    def __init__(
        self, layers: Mapping[str, Linear], schedule: Schedule, seed: int
    ) -> None:
        self.layers = dict(layers)
        self.schedule = schedule
        self.seed = seed
        self.step = 0
        self.ratios: dict[str, float] = {}
        self._switched: dict[str, int] = {}
        self._products: dict[str, QuantizedProducts] = {}
        self._shared = Shared()
        self._upkeep = Upkeep()
        self._reporter = Reporter(self)
        self._blocks = {name: block_of(name) for name in layers}
        numbers = [n for n in self._blocks.values() if n is not None]
        self._count = max(numbers, default=-1) + 1
        for recipe in schedule.recipes:
            for name, layer in self.layers.items():
                self._check(self._recipe_in(recipe, name), name, layer)
        self.begin(0)

    @property
    def products(self) -> dict[str, QuantizedProducts]:
        """The products of the layers that are quantised at present, by name."""
        return {
            name: products
            for name, products in self._products.items()
            if self.layers[name].products is products
        }

    def begin(self, step: int) -> None:
        """Say that a step begins: recipes switch, random bits are those of the step.

        Parameters
        ----------
        step : int
            Its number, from 1; 0 is before the first.
        """
        self.step = step
        self._shared.clear()
        for name, layer in self.layers.items():
            recipe = self.recipe_of(name)
            if recipe is None or recipe.is_plain:
                layer.products = FULL_PRECISION
                continue
            products = self._products.get(name)
            if products is None:
                products = QuantizedProducts(recipe, self.seed, name, self._shared)
                self._products[name] = products
            products.recipe = recipe
            products.begin(step)
            layer.products = products

    def recipe_of(self, name: str) -> Recipe | None:
        """Return the recipe of a layer at the present step; None: full precision."""

        def own(recipe: Recipe | None) -> Recipe | None:
            return self._recipe_in(recipe, name)

        return self.schedule.recipe_at(
            self.step, layer=name, own=own, switched=self._switched
        )

    def update(
        self,
        optimizer: Optimizer,
        gradients: Mapping[str, npt.NDArray[Any]],
        learning_rate: float,
    ) -> None:
        """Make a step of an optimiser, with what recipes do to weights around it.

        Parameters
        ----------
        optimizer : Optimizer
            Of the model's parameters.
        gradients : mapping of str to ndarray
            Of all its parameters, with their names.
        learning_rate : float
            Of this step.

        Raises
        ------
        ValueError
            As `Optimizer.step`.

        Notes
        -----
        Where no recipe has an `upkeep`, this is ``optimizer.step``.
        """
        names = {id(one): name for name, one in optimizer.parameters.items()}
        found = {}
        for layer, products in self.products.items():
            parameter = names.get(id(self.layers[layer].weight))
            if parameter is not None:
                found[parameter] = layer, products
        self._upkeep.update(optimizer, gradients, learning_rate, found, self.step)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Remember nothing of a block: no largest magnitude, no norm of a channel.

        Then training does not depend on when, and on what, a model is evaluated.
        """
        with ExitStack() as stack:
            for products in self._products.values():
                stack.enter_context(products.nothing_remembered())
            yield

    def watch(self, ratios: Mapping[str, float]) -> list[str]:
        """Tell the schedule's monitors the gradient-to-noise ratios of layers.

        Parameters
        ----------
        ratios : mapping of str to float
            As a report has them; see `refnum.recipes.gradient_to_noise`.

        Returns
        -------
        list of str
            Layers that switch from the next step on.
        """
        self.ratios.update(ratios)
        found = self.schedule.triggered(self.ratios, self._switched)
        for name in found:
            self._switched[name] = self.step + 1
        return found

    def observe(self, observer: Observer | None) -> None:
        """Show every operand, with its codes, to an observer, or to none."""
        for products in self._products.values():
            products.observer = observer

    def report(self) -> AbstractContextManager[Report]:
        """Report on what happens in a ``with`` block, usually one step.

        Returns
        -------
        context manager
            It gives the `Report` that the block fills. Oscillating weights are counted
            from one report to the next.
        """
        return self._reporter.watching()

    def state(self) -> State:
        """Return all that later steps depend on, apart from the model."""
        state: State = {}
        for name, products in self._products.items():
            for key, value in products.amax.state().items():
                state[f"amax/{name}/{key}"] = value
            for key, value in products.averaged.state().items():
                state[f"average/{name}/{key}"] = value
            for key, value in products.channels.state().items():
                state[f"channels/{name}/{key}"] = value
        for key, value in self._upkeep.state().items():
            state[f"upkeep/{key}"] = value
        for name, step in self._switched.items():
            state[f"switched/{name}"] = np.asarray(step, np.int64)
        for name, ratio in self.ratios.items():
            state[f"ratio/{name}"] = np.asarray(ratio, np.float64)
        state["step"] = np.asarray(self.step, np.int64)
        return state

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over what `state` returned, of the same model and schedule.

        Parameters
        ----------
        state : mapping of str to ndarray
            All of it.

        Raises
        ------
        ValueError
            If a name is unknown or a layer does not exist; nothing is changed then.
        """
        parts: dict[tuple[str, str], State] = {}
        for key, value in state.items():
            kind, _, rest = key.partition("/")
            name, _, field = rest.partition("/")
            if key != "step" and (kind not in _KINDS or name not in self.layers):
                raise ValueError(f"unknown quantisation state {key!r}")
            if field:
                parts.setdefault((kind, name), {})[field] = value
        if "step" not in state:
            raise ValueError("quantisation state has no step")
        self._switched = {
            k.partition("/")[2]: int(v)
            for k, v in state.items()
            if k.startswith("switched/")
        }
        self.ratios = {
            k.partition("/")[2]: float(v)
            for k, v in state.items()
            if k.startswith("ratio/")
        }
        step = int(state["step"])
        self.begin(step)
        for name, products in self._products.items():
            products.amax.load_state(parts.get(("amax", name), {}))
            weight = products.recipe.fprop_w
            decay = 0.0 if weight is None else weight.average
            products.averaged.load_state(parts.get(("average", name), {}), decay)
            rule = products.recipe.channels
            products.channels.load_state(parts.get(("channels", name), {}), rule)
            upkeep, shape = products.recipe.upkeep, self.layers[name].weight.shape
            self._upkeep.load_state(
                name, parts.get(("upkeep", name), {}), upkeep, shape
            )

    def _recipe_in(self, recipe: Recipe | None, name: str) -> Recipe | None:
        layer = self.layers[name]
        return recipe_of_layer(
            recipe, name, layer.kind, self._blocks[name], self._count
        )

    def _check(self, recipe: Recipe | None, name: str, layer: Linear) -> None:
        if recipe is None:
            return
        outputs, inputs = layer.weight.shape
        lengths = {"fprop": inputs, "dgrad": outputs}
        check_shapes(recipe.operands, lengths, name, recipe.padded)


def quantize_model(
    model: Module, recipe: Recipe | Schedule | str, seed: int = 0
) -> Quantization:
    """Set the products of all linear layers of a model.

    Parameters
    ----------
    model : Module
        Its `Linear` layers change.
    recipe : Recipe, Schedule or str
        What they compute, or its name.
    seed : int
        Of the random bits.

    Returns
    -------
    Quantization
        Call its `begin` before each step.

    Raises
    ------
    ValueError
        If a name is unknown, or blocks and rotations do not divide the width of a
        layer.

    Examples
    --------
    >>> from refnum.autograd import Stream
    >>> from refnum.nn import Linear, Module, quantize_model
    >>> class Two(Module):
    ...     def __init__(self):
    ...         self.up = Linear(32, 64, Stream(0), kind="mlp")
    ...         self.head = Linear(64, 10, Stream(0), kind="head")
    >>> list(quantize_model(Two(), "mxfp4").products)
    ['up']
    """
    schedule = recipe if isinstance(recipe, Schedule) else Schedule(get(recipe))
    layers = {
        name: part for name, part in modules(model).items() if isinstance(part, Linear)
    }
    return Quantization(layers, schedule, seed)


def block_of(name: str) -> int | None:
    """Return the number of the block that a layer stands in: the first in its name.

    Examples
    --------
    >>> block_of("blocks.3.mlp.up"), block_of("head")
    (3, None)
    """
    found = re.search(r"(?:^|\.)(?:blocks|layers)\.(\d+)\.", name)
    return int(found.group(1)) if found else None
