"""Models in float64, and functions of their parameters: what gradient checks need."""

import numpy as np

from refnum.autograd import Tensor
from refnum.nn import parameters


def as_function(model, *inputs):
    """The function from a model's parameters to its result, and where it stands now."""
    found = parameters(model)
    places = {id(tensor): [] for tensor in found.values()}
    seen = []

    def visit(part):
        if isinstance(part, list | tuple):
            for one in part:
                visit(one)
        elif hasattr(part, "__dict__") and part not in seen:
            seen.append(part)
            for name, value in vars(part).items():
                if isinstance(value, Tensor):
                    places[id(value)].append((part, name))
                else:
                    visit(value)

    visit(model)
    homes = [places[id(tensor)] for tensor in found.values()]

    def function(*tensors):
        for tensor, where in zip(tensors, homes, strict=True):
            for part, name in where:
                setattr(part, name, tensor)
        return model(*inputs)

    return function, [tensor.data.astype(np.float64) for tensor in found.values()]
