"""`refnum dequantize FOLDER`: the values of a folder that `quantize` wrote."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np

from refnum._files import write_atomically
from refnum.blocks import Quantized, block_format, dequantize
from refnum.golden import read_bundle

__all__ = ["add_parser", "read_quantized", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "dequantize",
        help="values of a folder that quantize wrote",
        description="Read codes, scales and tensor scale of a folder, and write values.",
    )
    parser.add_argument("folder", type=Path, help="a folder that quantize wrote")
    parser.add_argument("--out", required=True, type=Path, help="a .npy file to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Dequantise the folder and write the values."""
    values = dequantize(read_quantized(args.folder))
    data = io.BytesIO()
    np.save(data, values)
    write_atomically(args.out, data.getvalue())
    return 0


def read_quantized(folder: Path) -> Quantized:
    """Return the quantised array of a folder.

    Raises
    ------
    ValueError
        If the folder holds another operation, or lacks a tensor.
    """
    bundle = read_bundle(folder)
    if bundle.op != "quantize":
        raise ValueError(f"{folder}: holds {bundle.op!r}, not a quantised array")
    fmt = block_format(bundle.spec.get("block_format", "")).stored
    try:
        codes, scales = bundle["codes"], bundle["scales"]
        outer = None if fmt.tensor_scale is None else bundle["tensor_scale"]
        axis = bundle.spec["axis"]
    except KeyError as error:
        raise ValueError(f"{folder}: {error.args[0]} is missing") from None
    if type(axis) is not int:
        raise ValueError(f"{folder}: axis {axis!r} is no integer")
    tensor_scale: Any = outer if outer is None or outer.ndim else outer[()]
    return Quantized(codes, scales, tensor_scale, fmt, axis)  # type: ignore[arg-type]
