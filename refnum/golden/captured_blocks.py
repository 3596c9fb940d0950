"""Comparing the blocks that an H100 quantised with refnum's block formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from refnum.blocks import MXFP4, MXFP8_E4M3, NVFP4, BlockFormat, block_format, quantize
from refnum.golden.captures import load_capture
from refnum.golden.row import Row

__all__ = ["block_rows"]

_FILE = "blocks.npz"
_PLAIN = {"mxfp4": MXFP4, "mxfp8": MXFP8_E4M3, "nvfp4": NVFP4}

_Codes = npt.NDArray[np.generic]


def block_rows(golden: Path) -> Iterator[Row]:
    """Yield one row a captured block format.

    The default to compare with is the plain format of the family: OCP's MXFP4 and
    MXFP8, and NVFP4 in Transformer Engine's order.

    Raises
    ------
    ValueError
        If the capture is damaged.
    """
    arrays = load_capture(golden, _FILE)
    try:
        x = (arrays["x"].astype(np.uint32) << np.uint32(16)).view(np.float32)
        names = [key.removesuffix(".codes") for key in arrays if key.endswith(".codes")]
        captured = {n: (arrays[f"{n}.scales"], arrays[f"{n}.codes"]) for n in names}
    except KeyError as error:
        raise ValueError(f"{_FILE}: no array {error.args[0]}") from None
    for name, (scales, codes) in captured.items():
        yield _row(name, x, scales, codes)


def _row(name: str, x: npt.NDArray[np.float32], scales: _Codes, codes: _Codes) -> Row:
    fmt = block_format(name).stored
    plain = _PLAIN[name.partition("_")[0]]
    wrong_scales, wrong_codes = _differences(x, plain, scales, codes)
    differing = wrong_scales + wrong_codes
    kinds = {"scales": wrong_scales, "codes": wrong_codes} if differing else {}
    named = "blocks"
    explained = sum(_differences(x, fmt, scales, codes)) == 0
    return Row(
        f"CUDA kernel, {name}",
        scales.size + codes.size,
        differing,
        f"{named}.{name.upper()}" if explained else None,
        {"rule": fmt.rule.name, "order": fmt.rule.arithmetic.name} if differing else {},
        kinds,
    )


def _differences(
    x: npt.NDArray[np.float32], fmt: BlockFormat, scales: _Codes, codes: _Codes
) -> tuple[int, int]:
    q = quantize(x, fmt)
    return int(np.sum(q.scales != scales)), int(np.sum(q.codes != codes))
