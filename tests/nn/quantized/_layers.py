"""One small linear layer, and what a recipe makes of it."""

from dataclasses import dataclass, field

import numpy as np

from refnum import recipes
from refnum.autograd import REPRODUCIBLE, use
from refnum.nn import Observer, QuantizedProducts
from refnum.recipes import Recipe

ROLES = tuple(recipes.ROLES)


def arrays(m=32, n=32, k=32, seed=0):
    """Return X, W and dY of the sizes that they have in training, read-only."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(m, k)).astype(np.float32)
    x[:, k // 2] *= 8  # an outlier channel
    w = (0.1 * rng.normal(size=(n, k))).astype(np.float32)
    dy = (1e-4 * rng.standard_t(3, size=(m, n))).astype(np.float32)
    for array in (x, w, dy):
        array.flags.writeable = False
    return x, w, dy


@dataclass
class Notes(Observer):
    """Keeps operands by role."""

    operands: dict = field(default_factory=dict)

    def operand(self, layer, role, operand, taken):
        self.operands[role] = taken


def run(recipe, data, *, seed=1, step=1, layer="fc", notes=None):
    """Return Y, dX and dW."""
    chosen = recipe if isinstance(recipe, Recipe) else recipes.get(recipe)
    products = QuantizedProducts(chosen, seed, layer)
    products.begin(step)
    products.observer = notes
    x, w, dy = data
    with use(REPRODUCIBLE):
        y, saved = products.forward(x, w)
        return y, *products.backward(dy, saved, (True, True))


def equal(one, other):
    """Whether all results have the same bits."""
    return [np.array_equal(a, b) for a, b in zip(one, other, strict=True)]


def recipe_of(operand):
    """Return a recipe with the same operand in all six roles."""
    return Recipe(*(operand,) * 6)
