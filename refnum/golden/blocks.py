"""Golden folders of quantised arrays: codes, scales, packed codes and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum.blocks import BlockFormat, Quantized, block_format, dequantize, quantize
from refnum.blocks import exact as exact_blocks
from refnum.blocks.geometry import Geometry
from refnum.formats import pack
from refnum.golden.bundle import Bundle, Tensor
from refnum.golden.record import Disagreement
from refnum.golden.tensors import CASES, TensorCase

Key = tuple[int, int]

__all__ = ["block_bundle", "block_cases"]

# All cases for the formats that people start from, the telling ones for the rest.
_ALL = ("mxfp4", "mxfp8_e4m3", "nvfp4")
_SOME = (
    *("mxfp4_nvidia", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp8_e5m2", "mxint8"),
    *("nvfp4_16x16", "nvfp4_cublas", "nvfp4_torchao", "nvfp4_compressed_tensors"),
    *("nvfp4_vllm", "ue5m3fp4", "ue5m3fp4_held"),
)
_TELLING = ("outlier-row", "scale-underflow", "zero-block")


def block_cases() -> Iterator[tuple[str, BlockFormat, TensorCase]]:
    """Return the path, the format and the array of every folder."""
    for name in (*_ALL, *_SOME):
        for case in CASES if name in _ALL else _TELLING:
            yield f"quantize/{name}.{case}", block_format(name).stored, CASES[case]


def block_bundle(fmt: BlockFormat, case: TensorCase, key: Key) -> Bundle:
    """Return a quantised array that both derivations agree on."""
    x = case.make(fmt, key)
    q = quantize(x, fmt, axis=case.axis)
    values = dequantize(q)
    _agree(x, q, values)
    tensors = [
        Tensor("x", "in", x),
        Tensor("codes", "out", q.codes),
        Tensor("scales", "out", q.scales),
        Tensor("packed", "out", pack(q.codes, fmt.element.bits)),
        Tensor("values", "out", _canonical(values)),
    ]
    if q.tensor_scale is not None:
        tensors.append(Tensor("tensor_scale", "out", np.asarray(q.tensor_scale)))
    spec = {"block_format": fmt.name, "axis": case.axis, "catches": case.catches}
    return Bundle("quantize", spec, tuple(tensors))


def _agree(x: npt.NDArray[np.float32], q: Quantized, values: npt.NDArray[Any]) -> None:
    """Raise unless every block comes out the same by exact fractions."""
    fmt = q.format
    geometry = Geometry.of(x.shape, q.axis, fmt)
    amax = None if fmt.tensor_scale is None else _largest(x)
    rows = zip(
        geometry.to_blocks(x).tolist(),
        geometry.to_blocks(q.codes).tolist(),
        geometry.scales_to_blocks(q.scales).tolist(),
        strict=True,
    )
    for number, (block, codes, scale) in enumerate(rows):
        slow = exact_blocks.quantize_block(block, fmt, tensor_amax=amax)
        if slow != (codes, scale):
            raise Disagreement(f"{fmt}, block {number}: {(codes, scale)} and {slow}")


def _largest(x: npt.NDArray[np.float32]) -> float:
    magnitudes = np.abs(x)
    return float(np.nan if np.isnan(x).any() else magnitudes.max())


def _canonical(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return float32 values with one NaN, 7fc00000."""
    return np.where(np.isnan(values), np.float32(np.nan), values.astype(np.float32))
