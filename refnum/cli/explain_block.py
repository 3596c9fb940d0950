"""``refnum explain`` of a block: from its largest magnitude to every code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from refnum.blocks import BlockFormat, ChosenFormat, dequantize, describe, quantize
from refnum.formats import decode

__all__ = ["block_text", "explain_block"]


def explain_block(
    values: list[float],
    block_format: BlockFormat | ChosenFormat,
    tensor_amax: float | None = None,
) -> dict[str, Any]:
    """Return what becomes of the values of one block or more, in JSON's types.

    Parameters
    ----------
    values : list of float
        One row; blocks are cut from it, the last may be ragged.
    block_format : BlockFormat or ChosenFormat
        The target.
    tensor_amax : float, optional
        The largest magnitude of the tensor, if it lies outside of these values.

    Raises
    ------
    ValueError
        If the format rounds stochastically, or tiles rows.

    Examples
    --------
    >>> import refnum as rn
    >>> told = explain_block([0.5, -1.1, 3.0, 6.0], rn.MXFP4)
    >>> told["blocks"][0]["scale"], told["elements"][1]["code"]
    ('7f = 1', 'a')
    """
    fmt = block_format.stored
    if fmt.element_cast.random_bits is not None:
        raise ValueError(f"{fmt} rounds stochastically: there is no single answer")
    size = len(values) if fmt.block in ("row", "tensor") else fmt.block
    if not isinstance(size, int):
        raise ValueError(f"{fmt} shares scales between rows: quantise an array instead")  # noqa: TRY004
    with np.errstate(over="ignore"):  # as `quantize` reads them
        x = np.array(values, np.float32)
    q = quantize(x, block_format, tensor_amax=tensor_amax)
    found = dequantize(q)
    scales = decode(q.scales & (1 << fmt.scale.bits) - 1, fmt.scale, np.float64)
    return {
        "format": fmt.name,
        "facts": dict(
            line.split(": ", 1) for line in describe(block_format).splitlines()
        ),
        "tensor_scale": _numbers(q.tensor_scale),
        "blocks": [
            {
                "values": f"{size * i} to {min(size * (i + 1), len(values)) - 1}",
                "amax": f"{float(np.max(np.abs(x[size * i : size * (i + 1)]))):.9g}",
                "scale": f"{_hex(code, fmt.scale.bits)} = {scale:.9g}",
            }
            for i, (code, scale) in enumerate(zip(q.scales, scales, strict=True))
        ],
        "elements": [
            {
                "value": f"{float(value):.9g}",
                "code": _hex(code, fmt.element.bits),
                "stands_for": f"{float(back):.9g}",
                "error": f"{float(back) - float(value):.3g}",
            }
            for value, code, back in zip(x, q.codes, found, strict=True)
        ],
    }


def block_text(told: dict[str, Any]) -> Iterator[str]:
    """Yield the explanation as lines."""
    yield told["format"]
    for what, how in told["facts"].items():
        yield f"  {what}: {how}"
    yield ""
    if told["tensor_scale"] is not None:
        yield f"tensor scale {told['tensor_scale']}"
    for block in told["blocks"]:
        yield f"values {block['values']}: amax {block['amax']}, scale {block['scale']}"
    yield ""
    rows = [("value", "code", "stands for", "error")]
    rows += [tuple(element.values()) for element in told["elements"]]
    for row in rows:
        yield f"{row[0]:>16}  {row[1]:>4}  {row[2]:>16}  {row[3]:>10}"


def _numbers(scales: Any) -> str | None:
    """Return one tensor scale, or those of all outer blocks."""
    if scales is None:
        return None
    return ", ".join(f"{scale:.9g}" for scale in np.ravel(scales).tolist())


def _hex(code: Any, bits: int) -> str:
    return f"{int(code):0{-(-bits // 4)}x}"
