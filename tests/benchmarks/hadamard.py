"""Races of Hadamard rotations beside torch's matrix product."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from run import Entry, Race

from refnum.blocks.hadamard import hadamard as rotate
from refnum.blocks.signs import hadamard_signs
from refnum.blocks.sylvester import sylvester

SIZES = 16, 32, 128


def hadamard(size: int) -> Iterator[Race]:
    x = np.random.default_rng(0).standard_normal(size, dtype=np.float32)
    for width in SIZES:
        entries = {
            "refnum": Entry(partial(rotate, size=width)),
            "butterfly": Entry(partial(rotate, size=width, arithmetic="butterfly")),
            "sequential": Entry(partial(rotate, size=width, arithmetic="sequential")),
            "numpy": Entry(numpy_product(width)),
        }
        yield Race(f"size {width}", x, entries | torch_product(width))
    rotation = partial(rotate, size=16, signs=hadamard_signs(), output="bf16")
    yield Race("size 16, signs, to bf16", x, {"refnum": Entry(rotation)})


def matrix(width: int) -> np.ndarray:
    return (sylvester(width) / np.sqrt(width)).astype(np.float32)


def numpy_product(width: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the product as BLAS computes it: rounded in an order of its own."""
    h = matrix(width)
    return lambda x: x.reshape(-1, width) @ h


def torch_product(width: int) -> dict[str, Entry]:
    if find_spec("torch") is None:
        return {}
    import torch

    torch.set_num_threads(1)
    h = torch.from_numpy(matrix(width))
    return {"torch": Entry(lambda x: torch.from_numpy(x).view(-1, width) @ h)}
