"""The golden folders of tensors: blocks, rotations, layouts, products, layers and training."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from refnum.golden.blocks import AnyFormat, block_bundle, block_cases
from refnum.golden.bundle import Bundle
from refnum.golden.entry import Entry, Options
from refnum.golden.linear import linear_bundle, linear_cases
from refnum.golden.products import (
    Schedule,
    gemm_bundle,
    gemm_cases,
    mma_bundle,
    mma_cases,
)
from refnum.golden.rotations import (
    hadamard_bundle,
    hadamard_cases,
    layout_bundle,
    layout_cases,
)
from refnum.golden.tensors import TensorCase
from refnum.golden.training import Trajectory, training_bundle, training_cases

__all__ = ["tensor_entries"]


def tensor_entries() -> Iterator[Entry]:
    """Yield every folder of tensors."""
    yield from _quantized()
    yield from _rotations()
    yield from _products()
    for path, name in linear_cases():
        yield Entry(path, partial(_layer, path, name))
    yield from _trajectories()


def _quantized() -> Iterator[Entry]:
    for path, fmt, case in block_cases():
        yield Entry(path, partial(_quantize, path, fmt, case))


def _rotations() -> Iterator[Entry]:
    for path, size, signs in hadamard_cases():
        yield Entry(path, partial(_rotate, path, size, signs))
    for path, shape, tile in layout_cases():
        yield Entry(path, partial(_swizzle, shape, tile))


def _products() -> Iterator[Entry]:
    for path, name, case in mma_cases():
        yield Entry(path, partial(_instruct, name, case))
    for path, schedule in gemm_cases():
        yield Entry(path, partial(_multiply, path, schedule))


def _trajectories() -> Iterator[Entry]:
    for path, trajectory in training_cases():
        yield Entry(path, partial(_train, trajectory))


def _quantize(path: str, fmt: AnyFormat, case: TensorCase, options: Options) -> Bundle:
    return block_bundle(fmt, case, options.key(path))


def _rotate(path: str, size: int, signs: str, options: Options) -> Bundle:
    return hadamard_bundle(size, signs, options.key(path))


def _layer(path: str, name: str, options: Options) -> Bundle:
    return linear_bundle(name, options.key(path))


def _swizzle(shape: tuple[int, ...], tile: tuple[int, int], _: Options) -> Bundle:
    return layout_bundle(shape, tile)


def _instruct(name: str, case: str, _: Options) -> Bundle:
    return mma_bundle(name, case)


def _multiply(path: str, schedule: Schedule, options: Options) -> Bundle:
    return gemm_bundle(schedule, options.key(path))


def _train(trajectory: Trajectory, options: Options) -> Bundle:
    return training_bundle(trajectory, options.seed)
