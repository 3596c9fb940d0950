"""`check_gradients` finds what is wrong and names it."""

import numpy as np
import pytest

from refnum.autograd import GradientError, Operation, Tensor, check_gradients, sin

WRONG = Operation(
    "wrong", lambda x, y: x * y, "x y", x=lambda g, y: g * y, y=lambda g: g
)
ONE_WRONG = Operation(  # of a thousand elements
    "one_wrong",
    lambda x: x * 2,
    x=lambda g: g * np.where(np.arange(1000) == 7, 2.001, 2.0),
)


def wrong_second(g, x):
    return g * Operation("cosine", np.cos, x=lambda g, x: g * x)(x)


def test_names_operation_and_input():
    message = r"wrong with respect to input 1 of shape \(3,\) \(last operation: wrong\)"
    with pytest.raises(GradientError, match=message):
        check_gradients(WRONG, [np.full(3, 3.0), np.full(3, 2.0)])


def test_finds_one_element():
    with pytest.raises(GradientError, match="one_wrong with respect to input 0"):
        check_gradients(ONE_WRONG, [np.linspace(0, 1, 1000)])


def test_second_order():
    sine = Operation("sine", np.sin, x=wrong_second)
    check_gradients(sine, [[0.3, 0.7]])
    with pytest.raises(GradientError, match="the gradient of sine with respect to"):
        check_gradients(sine, [[0.3, 0.7]], order=2)
    check_gradients(sin, [[0.3, 0.7]], order=4)


def test_missing_gradient():
    def forgets(x):
        return Tensor(x.data**2)

    with pytest.raises(GradientError, match="forgets"):
        check_gradients(forgets, [2.0])


def test_what_it_refuses():
    with pytest.raises(ValueError, match="nothing to check"):
        check_gradients(sin, [])
    with pytest.raises(ValueError, match="nothing to check"):
        check_gradients(sin, [1.0], order=0)
    with pytest.raises(TypeError, match="not a Tensor"):
        check_gradients(lambda x: x.data, [1.0])


def test_nan_is_no_agreement():
    with pytest.raises(GradientError):
        check_gradients(Operation("nan", lambda x: x, x=lambda g: g * np.nan), [1.0])
