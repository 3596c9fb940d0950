"""The engine: depth, freeing, hooks, accumulation, modes, memory."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

from refnum import autograd as ag
from refnum.autograd import FAST, REPRODUCIBLE, Operation, Tensor, no_grad, observe, use


@pytest.fixture(autouse=True)
def _fast():
    with use(FAST):
        yield


def leaf(*values):
    return Tensor(values, requires_grad=True)


def test_deep_graph():
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y + 0.5
    y.backward(np.ones(1))
    assert x.grad.tolist() == [1]


def test_deep_graph_is_dropped_without_recursion():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    del y
    gc.collect()


def test_diamonds_are_walked_once():
    calls = []

    def vjp(g):
        calls.append(g)
        return 2 * g

    double = Operation("double", lambda x: 2 * x, x=vjp)
    x = leaf(1.0)
    y = x
    for _ in range(30):  # 2**30 paths
        y = double(y)
        y = y + y
    y.backward(np.ones(1))
    assert len(calls) == 30
    assert x.grad.tolist() == [4.0**30]


def test_gradients_accumulate():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    (3 * x).sum().backward()
    assert x.grad.tolist() == [5, 7]
    x.grad = None
    assert x.grad is None


def test_gradients_of_two_leaves_are_not_shared():
    x, y = leaf(1.0), leaf(2.0)
    (x + y).sum().backward()
    with pytest.raises(ValueError, match="read-only"):
        x.grad += 1
    assert y.grad.tolist() == [1]


def test_second_use_of_a_freed_graph():
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="behind 'sum' was freed"):
        y.backward()


def test_shared_part_of_a_freed_graph():
    x = leaf(1.0)
    shared = x * x
    shared.sum().backward()
    with pytest.raises(RuntimeError, match="behind 'multiply' was freed"):
        (shared + 1).sum().backward()


def test_retained_graph():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12]


def test_saved_values_cannot_change():
    x = leaf(1.0, 2.0)
    y = x * x
    for tensor in (x, y, x[:1], x.detach(), x.reshape(2, 1)):
        with pytest.raises(ValueError, match="read-only"):
            tensor.data[...] = 7
    with pytest.raises(TypeError, match="in place"):
        x[0] = 7.0


def test_data_that_was_given_may_change():
    given, constant = np.ones(2, np.float32), np.full(2, 2, np.float32)
    x = Tensor(given, requires_grad=True)
    y = x * constant
    given[:] = constant[:] = 9
    y.backward(np.ones(2))
    assert x.data.tolist() == [1, 1]
    assert x.grad.tolist() == [2, 2]


def test_a_parameter_moves_on():
    x = leaf(3.0)
    y = (x * x).sum()
    x.data = x.data - np.float32(1)
    y.backward()
    assert x.data.tolist() == [2]
    assert x.grad.tolist() == [6]  # where y was computed
    with pytest.raises(ValueError, match="must stay float32 of shape"):
        x.data = np.zeros(2, np.float32)
    with pytest.raises(ValueError, match="result of 'multiply'"):
        (x * x).data = np.zeros(1, np.float32)


def test_no_grad_and_detach():
    x = leaf(2.0)
    with no_grad():
        assert not (x * x).requires_grad
    y = x * x.detach()
    y.backward(np.ones(1))
    assert x.grad.tolist() == [2]
    with pytest.raises(ValueError, match="no gradient can flow"):
        x.detach().backward()


def test_backward_needs_a_start():
    x = leaf(1.0, 2.0)
    with pytest.raises(ValueError, match="needs the gradient"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"shape \(2,\), not \(3,\)"):
        (x * x).backward(np.ones(3))


def test_gradient_hooks():
    x = leaf(1.0)
    y = x * 3
    seen = []
    y.register_hook(seen.append)
    remove = y.register_hook(lambda g: g * 10)
    (y + y).sum().backward(retain_graph=True)
    assert seen == [2]
    assert x.grad.tolist() == [60]
    remove()
    x.grad = None
    (y + y).sum().backward()
    assert x.grad.tolist() == [6]
    y.register_hook(lambda g: np.ones(5))
    with pytest.raises(ValueError, match="hook on 'multiply'"):
        (x * 3 + y).sum().backward()


def test_observers_see_each_tensor():
    x = leaf(1.0, 2.0)
    results, flows = [], []
    with observe(
        lambda t: results.append((t.operation, t.shape)),
        lambda name, g: flows.append((name, g.shape)),
    ):
        (x * x).sum().backward()
    assert results == [("multiply", (2,)), ("sum", ())]
    assert flows == [("sum", ()), ("multiply", (2,)), ("leaf", (2,))]


def test_gradients_of_intermediate_results():
    x = leaf(2.0)
    y = x * x
    z = leaf(1.0)
    found = ag.gradients((y * y).sum(), [y, x, z])
    assert found[0].tolist() == [8]
    assert found[1].tolist() == [32]
    assert found[2] is None
    assert x.grad is None
    with pytest.raises(ValueError, match="input 0 does not require"):
        ag.gradients((x * x).sum(), [Tensor(1.0)])


def test_third_derivative():
    x = leaf(2.0)
    y = (x**4).sum()
    for expected in (32, 48, 48):
        (y,) = ag.gradients(y, [x], np.ones(y.shape), create_graph=True)
        assert y.data.tolist() == [expected]


def test_operation_that_is_not_differentiable_twice():
    once = Operation("once", lambda x: 2 * x, twice=False, x=lambda g: 2 * g)
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match="'once' cannot be differentiated twice"):
        ag.gradients(once(x).sum(), [x], create_graph=True)


def test_argument_without_vjp():
    half = Operation("half", lambda x, y: x * y, "x y", x=lambda g, y: g * y)
    with pytest.raises(ValueError, match="'half' has no gradient for"):
        half(leaf(1.0), leaf(2.0))


def test_results_say_their_numerics():
    x = leaf(1.0)
    assert (x * 2).numerics is FAST
    assert ag.multiply(x, 2, numerics=REPRODUCIBLE).numerics is REPRODUCIBLE
    assert x.numerics is None
    double = Tensor(np.ones(1))
    assert ag.multiply(double, 2, numerics=REPRODUCIBLE).numerics is FAST
    with pytest.raises(TypeError, match="must be Numerics"):
        ag.multiply(x, 2, numerics="fast")


def test_backward_repeats_the_numerics():
    x = Tensor(np.ones((2, 3)), requires_grad=True, dtype=np.float32)
    w = Tensor(np.ones((3, 2)), requires_grad=True, dtype=np.float32)
    y = ag.matmul(x, w, numerics=REPRODUCIBLE)
    seen = []
    probe = Operation(
        "probe", lambda x: x, x=lambda g: seen.append(ag.mode.MODE.get().numerics) or g
    )
    probe(y, numerics=REPRODUCIBLE).backward(np.ones((2, 2)))
    assert seen == [REPRODUCIBLE]


def test_results_are_freed_on_the_way():
    x = leaf(1.0)
    middle = x * x
    alive = weakref.ref(middle)
    y = (middle * middle).sum()
    del middle
    assert alive() is None  # tensors are not kept, only what VJPs need
    y.backward()
    assert x.grad.tolist() == [4]


def mlp(weights, x):
    for w in weights:
        x = ag.relu(x @ w)
    return x.sum()


def test_peak_memory_of_a_deep_mlp():
    rng = np.random.default_rng(0)
    scale = np.float32(0.1)
    draws = (rng.standard_normal((64, 64), dtype=np.float32) for _ in range(50))
    weights = [Tensor(scale * w, requires_grad=True) for w in draws]
    x = Tensor(rng.standard_normal((4096, 64), dtype=np.float32))
    mlp(weights, x).backward()  # weights have gradients now
    activation = x.data.nbytes
    tracemalloc.start()
    loss = mlp(weights, x)
    saved = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    loss.backward()
    end, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert saved < 51 * activation  # one for each layer
    assert peak < 1.1 * saved
    assert end < 2 * activation


def test_nothing_grows():
    rng = np.random.default_rng(0)
    weights = [
        Tensor(rng.standard_normal((8, 8)), requires_grad=True, dtype=np.float32)
        for _ in range(3)
    ]
    x = Tensor(rng.standard_normal((4, 8)), dtype=np.float32)

    def steps(count):
        for _ in range(count):
            mlp(weights, x).backward()
            for w in weights:
                w.data = w.data - np.float32(0.01) * w.grad
                w.grad = None

    gc.disable()  # nothing may wait for the collector
    try:
        tracemalloc.start()
        steps(3000)  # fills Python's lists of free tuples
        before = tracemalloc.get_traced_memory()[0]
        steps(1000)
        assert tracemalloc.get_traced_memory()[0] - before < 4096
    finally:
        tracemalloc.stop()
        gc.enable()
