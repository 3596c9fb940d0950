"""`Module`: a part of a model, and the parameters in it by name.

A module is an ordinary object. Its attributes may be parameters (tensors that require a
gradient), other modules, and lists or tuples of modules; anything else is its own
affair. Names follow the attributes in the order in which they were set:
``blocks.0.attention.query.weight``. A tensor found in two places is one parameter,
under the first name. Each class says in its `__call__` what it computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.autograd import Tensor, gradients

__all__ = [
    "Module",
    "gradients_of",
    "load_parameters",
    "modules",
    "name_modules",
    "parameters",
]

_Array = npt.NDArray[np.floating[Any]]


class Module:
    """A part of a model.

    Examples
    --------
    >>> import numpy as np
    >>> from refnum.autograd import Tensor
    >>> from refnum.nn import Module, parameters
    >>> class Scale(Module):
    ...     def __init__(self, size):
    ...         self.weight = Tensor(np.ones(size, np.float32), requires_grad=True)
    ...
    ...     def __call__(self, x):
    ...         return x * self.weight
    >>> class Two(Module):
    ...     def __init__(self):
    ...         self.parts = [Scale(2), Scale(3)]
    >>> list(parameters(Two()))
    ['parts.0.weight', 'parts.1.weight']
    """

    name: str = ""
    """Dotted name in the model, once `name_modules` has set it."""


def modules(module: Module) -> dict[str, Module]:
    """Return a module and all modules in it by name; its own name is empty.

    Parameters
    ----------
    module : Module
        The outermost one.

    Returns
    -------
    dict of str to Module
        Each module once, before those in it.

    Examples
    --------
    >>> from refnum.autograd import Stream
    >>> from refnum.nn import MLP, modules
    >>> list(modules(MLP([2, 3, 1], Stream(0))))
    ['', 'layers.0', 'layers.1']
    """
    found: dict[int, tuple[str, Module]] = {}
    for name, part in _walk(module, ""):
        if isinstance(part, Module):
            found.setdefault(id(part), (name, part))
    return dict(found.values())


def parameters(module: Module) -> dict[str, Tensor]:
    """Return the parameters of a module by name.

    Parameters
    ----------
    module : Module
        The model.

    Returns
    -------
    dict of str to Tensor
        Each tensor that requires a gradient once, in the order of definition.

    Examples
    --------
    >>> from refnum.autograd import Stream
    >>> from refnum.nn import MLP, parameters
    >>> [(n, p.shape) for n, p in parameters(MLP([2, 3], Stream(0))).items()]
    [('layers.0.weight', (3, 2)), ('layers.0.bias', (3,))]
    """
    found: dict[int, tuple[str, Tensor]] = {}
    for name, part in _walk(module, ""):
        if isinstance(part, Tensor) and part.requires_grad:
            found.setdefault(id(part), (name, part))
    return dict(found.values())


def name_modules(module: Module) -> None:
    """Tell each module in a model its dotted name.

    Parameters
    ----------
    module : Module
        The model; models do this when they are made.
    """
    for name, part in modules(module).items():
        part.name = name


def gradients_of(loss: Tensor, parameters: Mapping[str, Tensor]) -> dict[str, _Array]:
    """Return the gradient of a loss for each parameter.

    Parameters
    ----------
    loss : Tensor
        One number.
    parameters : mapping of str to Tensor
        As `parameters` returns them.

    Returns
    -------
    dict of str to ndarray
        Zeros for a parameter that the loss does not depend on.

    Raises
    ------
    ValueError
        If no gradient flows from `loss`, or it is not one number.
    """
    found = gradients(loss, list(parameters.values()))
    return {
        name: np.zeros(tensor.shape, tensor.dtype) if part is None else part
        for (name, tensor), part in zip(parameters.items(), found, strict=True)
    }


def load_parameters(module: Module, values: Mapping[str, npt.ArrayLike]) -> None:
    """Set all parameters of a module.

    Parameters
    ----------
    module : Module
        The model.
    values : mapping of str to array_like
        An array for each parameter, of its shape and type.

    Raises
    ------
    ValueError
        If names, shapes or types are not those of the model; nothing is set then.
    """
    wanted = parameters(module)
    if unknown := sorted(values.keys() ^ wanted.keys()):
        raise ValueError(
            f"parameters of the model and values differ in {', '.join(unknown[:5])}"
        )
    arrays = {name: np.array(value) for name, value in values.items()}
    for name, tensor in wanted.items():
        array = arrays[name]
        if (array.shape, array.dtype) != (tensor.shape, tensor.dtype):
            raise ValueError(
                f"{name} is {tensor.dtype} of shape {tensor.shape}, "
                f"not {array.dtype} of shape {array.shape}"
            )
    for name, tensor in wanted.items():
        tensor.data = arrays[name]


def _walk(part: Any, name: str) -> Iterator[tuple[str, Module | Tensor]]:
    """Yield modules and tensors by name, a module before what is in it."""
    if isinstance(part, Module):
        yield name, part
        for attribute, value in vars(part).items():
            yield from _walk(value, f"{name}.{attribute}" if name else attribute)
    elif isinstance(part, Tensor):
        yield name, part
    elif isinstance(part, list | tuple):
        for k, value in enumerate(part):
            yield from _walk(value, f"{name}.{k}")
