"""What layers keep between the passes, and that it is all that the backward pass needs."""

import tracemalloc

import pytest

from refnum import recipes
from refnum.nn import QuantizedProducts

from ._layers import Notes, arrays, equal


def test_operands_that_are_made_anew_are_not_kept():
    x, w, _ = arrays(512, 64, 32)
    kept = {}
    for name in ("mxfp4", "tetrajet"):  # the second makes wgrad_x from fprop_x
        products = QuantizedProducts(recipes.get(name), 0, "fc")
        products.forward(x, w)
        tracemalloc.start()
        y, _saved = products.forward(x, w)
        kept[name] = tracemalloc.get_traced_memory()[0] - y.nbytes
        tracemalloc.stop()
    assert kept["mxfp4"] < x.nbytes / 2 < x.nbytes <= kept["tetrajet"]


def lengths(recipe):
    rotations = [o.rotation for o in recipe.operands.values() if o is not None]
    return max([64, *(r.size for r in rotations if r is not None)])


def passes(recipe, notes):
    size = lengths(recipe)
    x, w, dy = arrays(size, size, size, seed=3)
    products = QuantizedProducts(recipe, 1, "fc")
    products.begin(3)
    y, saved = products.forward(x, w)
    products.observer = notes  # from the backward pass on
    return y, *products.backward(dy, saved, (True, True))


@pytest.mark.parametrize("notes", [None, Notes()], ids=["alone", "observed"])
@pytest.mark.parametrize("name", recipes.names())
def test_nothing_that_is_dropped_is_missed(name, notes, monkeypatch):
    recipe = recipes.get(name)
    found = passes(recipe, notes)
    monkeypatch.setattr(QuantizedProducts, "_kept", lambda self, taken, *_: taken)
    assert equal(found, passes(recipe, notes)) == [True] * 3


def test_recipe_that_changes_between_the_passes():
    x, w, dy = arrays()
    products = QuantizedProducts(recipes.get("mxfp4"), 0, "fc")
    _, saved = products.forward(x, w)
    products.recipe = recipes.get("tetrajet")
    with pytest.raises(RuntimeError, match="fc: the forward pass had the recipe mxfp4"):
        products.backward(dy, saved, (True, True))
    products.recipe = recipes.get("mxfp4")
    dx, dw = products.backward(dy, saved, (True, True))
    assert (dx.shape, dw.shape) == (x.shape, w.shape)
