"""Golden folders of one linear layer under each recipe: results, gradients, operands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import REPRODUCIBLE, Tensor, use
from refnum.golden.bundle import Bundle
from refnum.golden.bundle import Tensor as Stored
from refnum.golden.exact_linear import ExactLinear, exact_linear
from refnum.golden.exact_operand import Place
from refnum.golden.record import Disagreement
from refnum.golden.tensors import random_values
from refnum.nn import Observer, QuantizedProducts, Taken, linear
from refnum.products import mma
from refnum.recipes import GEMMS, ROLES, Operand, Recipe, get, names

__all__ = ["linear_bundle", "linear_cases"]

Single = npt.NDArray[np.float32]
Key = tuple[int, int]

# The same as another at this step, or at another size of the rotation.
_LEFT_OUT = (
    *("quartet-ii", "quartet-ii-delayed", "quartet-ii-plain"),
    *("fp8-delayed", "ue5m3-2048", "tetrajet-q-ema", "tetrajet-q-ramping"),
    *("tetrajet-v2-oscireset", "tetrajet-v2-outcontrol"),
)
_SEED, _STEP, _LAYER = 1, 3, "linear"
_LOSS_SCALE = np.float32(2.0**-10)  # gradients are small


class _Notes(Observer):
    """Keeps the operands by role."""

    def __init__(self) -> None:
        self.operands: dict[str, Taken] = {}

    def operand(self, layer: str, role: str, operand: Operand, taken: Taken) -> None:
        """Keep an operand."""
        if operand.source != "codes":
            self.operands[role] = taken


def linear_cases() -> Iterator[tuple[str, str]]:
    """Return the path and the recipe of every folder."""
    for name in names():
        if name not in _LEFT_OUT:
            yield f"linear/{name}", name


def linear_bundle(name: str, key: Key) -> Bundle:
    """Return a layer's results, gradients, codes and scales."""
    recipe = get(name)
    m, n, k = _lengths(recipe)
    x = random_values((m, k), key)
    w = random_values((n, k), (key[0] + 1, key[1])) * np.float32(0.125)
    bias = random_values((n,), (key[0] + 2, key[1]))
    dy = random_values((m, n), (key[0] + 3, key[1])) * _LOSS_SCALE
    notes = _Notes()
    results = _compute(x, w, bias, dy, recipe, notes)
    exact = exact_linear(
        x.tolist(), w.tolist(), dy.tolist(), recipe, Place(_SEED, _STEP, _LAYER)
    )
    _agree(name, recipe, results, bias, dy, notes.operands, exact)
    inputs = {"x": x, "weight": w, "bias": bias, "dy": dy}
    tensors = [Stored(what, "in", array) for what, array in inputs.items()]
    tensors += [Stored(what, "out", array) for what, array in results.items()]
    for role, taken in notes.operands.items():
        tensors += _stored(role, taken)
    spec = {
        "recipe": name,
        "layer": _LAYER,
        "seed": _SEED,
        "step": _STEP,
        "roles": {role: str(o or "unquantised") for role, o in recipe.operands.items()},
        "products": {gemm: str(product) for gemm, product in recipe.gemms.items()},
    }
    return Bundle("linear", spec, tuple(tensors))


def _lengths(recipe: Recipe) -> tuple[int, int, int]:
    """Return M, N and K: the least that blocks and rotations divide, and not less."""
    lengths = {"fprop": 32, "dgrad": 16, "wgrad": 16}
    for role, operand in recipe.operands.items():
        if operand is None:
            continue
        sizes = [lengths[ROLES[role].gemm]]
        if isinstance(operand.block, tuple):
            sizes.append(operand.block[1])
        if operand.rotation is not None:
            sizes.append(operand.rotation.size)
        lengths[ROLES[role].gemm] = max(sizes)
    for gemm, product in recipe.gemms.items():
        if product.kernel is not None:
            lengths[gemm] = max(lengths[gemm], product.kernel.op.k)
    return lengths["wgrad"], lengths["dgrad"], lengths["fprop"]


def _compute(
    x: Single, w: Single, bias: Single, dy: Single, recipe: Recipe, notes: _Notes
) -> dict[str, Single]:
    """Return Y, dX, dW and the gradient of the bias, by the package's own way."""
    products = QuantizedProducts(recipe, _SEED, _LAYER)
    products.begin(_STEP)
    products.observer = notes
    leaves = [Tensor(array, requires_grad=True) for array in (x, w, bias)]
    with use(REPRODUCIBLE):
        y = linear(*leaves, products=products)
        y.backward(dy)
    found = dict(zip(("dx", "dweight", "dbias"), leaves, strict=True))
    results = {"y": np.array(y.data)}
    return results | {what: np.array(leaf.grad) for what, leaf in found.items()}


def _agree(
    name: str,
    recipe: Recipe,
    results: dict[str, Single],
    bias: Single,
    dy: Single,
    operands: dict[str, Taken],
    exact: ExactLinear,
) -> None:
    """Raise unless both derivations give the same bits."""
    for role, found in exact.operands.items():
        taken = operands.get(role)
        if taken is None:
            continue  # the codes of another role
        across = ROLES[role].axis == 0
        codes = taken.codes if taken.quantized is None else taken.quantized.codes
        _same(f"{name}, codes of {role}", codes, found.codes, across)
        _same(f"{name}, values of {role}", taken.values, found.values, across)
    slow = {
        gemm: _by_chain(recipe, gemm, operands)
        if recipe.gemms[gemm].kernel is not None
        else np.array(exact.results[gemm], np.float32)
        for gemm in GEMMS
    }
    slow["fprop"] = slow["fprop"] + bias
    for what, gemm in (("y", "fprop"), ("dx", "dgrad"), ("dweight", "wgrad")):
        _same(f"{name}, {what}", results[what], slow[gemm], False)
    _same(f"{name}, dbias", results["dbias"], _sums(dy), False)


def _by_chain(recipe: Recipe, gemm: str, operands: dict[str, Taken]) -> Single:
    """Return a product by the readable model of its instructions."""
    kernel = recipe.gemms[gemm].kernel
    assert kernel is not None
    sides, factor = [], np.float32(1)
    for role in GEMMS[gemm]:
        source = {"dgrad_w": "fprop_w", "wgrad_x": "fprop_x", "wgrad_dy": "dgrad_dy"}
        q = operands.get(role, operands[source.get(role, role)]).quantized
        assert q is not None
        codes, scales = q.codes, q.scales
        if ROLES[role].axis == 0:
            codes, scales = codes.T, scales.T
        whole = scales.view(np.float32).reshape(()) if scales.size == 1 else 1
        scale = np.float32(1) if q.tensor_scale is None else q.tensor_scale
        factor = factor * np.float32(np.float64(scale) * np.float64(whole))
        sides.append((codes, None if scales.size == 1 else scales))
    (a, scale_a), (b, scale_b) = sides
    zero = np.zeros((len(a), len(b)), np.float32)
    given: dict[str, Any] = {}
    if scale_a is not None and scale_b is not None:
        given = {"scale_a": scale_a, "scale_b": scale_b.T}
    chain = mma(a, b.T, zero, kernel.op, **given).astype(np.float32)
    return np.asarray(factor * chain, np.float32)


def _sums(dy: Single) -> Single:
    """Return the sums of columns: eight lanes, then their sums in pairs."""
    totals = []
    for column in dy.T:
        lanes = list(column[:8])
        for start in range(8, len(column), 8):
            lanes = [a + b for a, b in zip(lanes, column[start:], strict=False)]
        while len(lanes) > 1:
            lanes = [a + b for a, b in zip(lanes[::2], lanes[1::2], strict=True)]
        totals.append(lanes[0])
    return np.array(totals, np.float32)


def _same(what: str, found: Any, slow: Any, across: bool) -> None:
    """Raise unless two arrays have the same bits."""
    one = np.asarray(found)
    other = np.asarray(slow)
    if across:
        other = other.T
    if one.dtype.kind == "f":
        other = other.astype(one.dtype)
        one, other = (np.ascontiguousarray(v).view(np.uint32) for v in (one, other))
    if not np.array_equal(one, other):
        wrong = int(np.count_nonzero(one != other))
        raise Disagreement(f"{what}: {wrong} of {one.size} differ")


def _stored(role: str, taken: Taken) -> Iterator[Stored]:
    """Return an operand's codes and scales, or its codes alone."""
    if taken.quantized is None:
        if taken.codes is not None:
            yield Stored(f"{role}_codes", "out", taken.codes)
        return
    q = taken.quantized
    yield Stored(f"{role}_codes", "out", q.codes)
    yield Stored(f"{role}_scales", "out", q.scales)
    if q.tensor_scale is not None:
        yield Stored(f"{role}_tensor_scale", "out", np.asarray(q.tensor_scale))
