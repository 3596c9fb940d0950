"""Golden folders of quantised arrays: codes, scales, packed codes and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import (
    BlockFormat,
    ChosenFormat,
    Quantized,
    block_format,
    dequantize,
    quantize,
)
from refnum.blocks import exact as exact_blocks
from refnum.blocks.exact_choice import choose_block
from refnum.blocks.geometry import Geometry
from refnum.formats import pack
from refnum.golden.bundle import Bundle, Tensor
from refnum.golden.record import Disagreement
from refnum.golden.tensors import CASES, TensorCase

Key = tuple[int, int]
AnyFormat = BlockFormat | ChosenFormat

__all__ = ["AnyFormat", "block_bundle", "block_cases"]

# All cases for the formats that people start from, the telling ones for the rest.
_ALL = ("mxfp4", "mxfp8_e4m3", "nvfp4")
_SOME = (
    *("mxfp4_nvidia", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp8_e5m2", "mxint8"),
    *("nvfp4_16x16", "nvfp4_cublas", "nvfp4_torchao", "nvfp4_compressed_tensors"),
    *("nvfp4_vllm", "nvfp4_four_over_six", "nvfp4_if4", "nvfp4_mixfp4"),
    *("ue5m3fp4", "ue5m3fp4_held", "hifloat4"),
)
_TELLING = ("outlier-row", "scale-underflow", "zero-block")


def block_cases() -> Iterator[tuple[str, AnyFormat, TensorCase]]:
    """Return the path, the format and the array of every folder."""
    for name in (*_ALL, *_SOME):
        for case in CASES if name in _ALL else _TELLING:
            yield f"quantize/{name}.{case}", block_format(name), CASES[case]


def block_bundle(fmt: AnyFormat, case: TensorCase, key: Key) -> Bundle:
    """Return a quantised array that both derivations agree on."""
    x = case.make(fmt.stored, key)
    q = quantize(x, fmt, axis=case.axis)
    values = dequantize(q)
    _agree(x, fmt, q, values)
    tensors = [
        Tensor("x", "in", x),
        Tensor("codes", "out", q.codes),
        Tensor("scales", "out", q.scales),
        Tensor("packed", "out", pack(q.codes, q.format.element.bits)),
        Tensor("values", "out", _canonical(values)),
    ]
    if q.tensor_scale is not None:
        tensors.append(Tensor("tensor_scale", "out", np.asarray(q.tensor_scale)))
    spec = {"block_format": fmt.name, "axis": case.axis, "catches": case.catches}
    return Bundle("quantize", spec, tuple(tensors))


def _agree(
    x: npt.NDArray[np.float32],
    fmt: AnyFormat,
    q: Quantized,
    values: npt.NDArray[Any],
) -> None:
    """Raise unless every block comes out the same by exact fractions."""
    stored = fmt.stored
    geometry = Geometry.of(x.shape, q.axis, stored)
    amax = None if stored.tensor_scale is None else _largest(x)
    rows = zip(
        geometry.to_blocks(x).tolist(),
        geometry.to_blocks(q.codes).tolist(),
        geometry.scales_to_blocks(q.scales).tolist(),
        geometry.to_blocks(values),
        strict=True,
    )
    for number, (block, codes, scale, found) in enumerate(rows):
        slow = _exactly(block, fmt, amax)
        if slow != (codes, scale):
            raise Disagreement(f"{fmt}, block {number}: {(codes, scale)} and {slow}")
        back = exact_blocks.dequantize_block(codes, scale, stored, amax)
        if not np.array_equal(np.array(back, np.float32), found, equal_nan=True):
            raise Disagreement(f"{fmt}, block {number}: values {found} and {back}")


def _exactly(
    block: list[float], fmt: AnyFormat, amax: float | None
) -> tuple[list[int], int]:
    if isinstance(fmt, ChosenFormat):
        return choose_block(block, fmt, tensor_amax=amax)
    return exact_blocks.quantize_block(block, fmt, tensor_amax=amax)


def _largest(x: npt.NDArray[np.float32]) -> float:
    magnitudes = np.abs(x)
    return float(np.nan if np.isnan(x).any() else magnitudes.max())


def _canonical(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return float32 values with one NaN, 7fc00000."""
    return np.where(np.isnan(values), np.float32(np.nan), values.astype(np.float32))
