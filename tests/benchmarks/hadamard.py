"""Races of Hadamard rotations beside torch's matrix product.

*sequential* is the work of torch's product, float32 sums of products with the matrix, in an
order that is fixed. *refnum* rounds exact sums once, and *butterfly* has an addition for
each of log2(size) stages: other work, to other bits.
"""

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from races import Entry, Race, Work, normals

SIZES = 16, 32, 128


def hadamard(size: int) -> Iterator[Race]:
    for width in SIZES:
        entries = {
            "refnum": Entry(partial(rotation, size=width)),
            "butterfly": Entry(partial(rotation, size=width, arithmetic="butterfly")),
            "sequential": Entry(partial(rotation, size=width, arithmetic="sequential")),
            "numpy": Entry(partial(numpy_product, width)),
        }
        if find_spec("torch"):
            entries["torch"] = Entry(partial(torch_product, width))
        yield Race(f"size {width}", normals(size), entries)
    entries = {"refnum": Entry(signed_rotation)}
    yield Race("size 16, signs, to bf16", normals(size), entries)


def rotation(**options: object) -> Work:
    from refnum.blocks.hadamard import hadamard

    return partial(hadamard, **options)


def signed_rotation() -> Work:
    from refnum.blocks.signs import hadamard_signs

    return rotation(size=16, signs=hadamard_signs(), output="bf16")


def matrix(width: int) -> np.ndarray:
    h = np.ones((1, 1))
    while len(h) < width:
        h = np.block([[h, h], [h, -h]])
    return (h / np.sqrt(width)).astype(np.float32)


def numpy_product(width: int) -> Work:
    """Return the product as BLAS computes it: rounded in an order of its own."""
    h = matrix(width)
    return lambda x: x.reshape(-1, width) @ h


def torch_product(width: int) -> Work:
    import torch

    torch.set_num_threads(1)
    h = torch.from_numpy(matrix(width))
    return lambda x: torch.from_numpy(x).view(-1, width) @ h
