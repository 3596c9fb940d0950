"""Matrices from .npy files, and results to files or to the screen."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum._files import write_atomically
from refnum.cli.values import load_array

__all__ = ["add_operands", "load_codes", "load_optional", "write_result"]


def add_operands(parser: argparse.ArgumentParser) -> None:
    """Add what every product takes: instruction, operands, scales, output."""
    parser.add_argument("instruction", metavar="INSTRUCTION", help="arch.op.a.b.d")
    parser.add_argument("a", metavar="A", type=Path, help=".npy of codes, (..., M, K)")
    parser.add_argument("b", metavar="B", type=Path, help=".npy of codes, (..., K, N)")
    parser.add_argument(
        "--scale-a", type=Path, metavar="FILE", help="block scales of A"
    )
    parser.add_argument(
        "--scale-b", type=Path, metavar="FILE", help="block scales of B"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=".npy to write; default: print the bits",
    )


def load_codes(path: Path) -> npt.NDArray[Any]:
    """Return the codes of a .npy file.

    Raises
    ------
    ValueError
        If it holds anything but integers.
    """
    array = load_array(path)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{path}: codes are integers, not {array.dtype}")
    return array


def load_optional(path: Path | None) -> npt.NDArray[Any] | None:
    """Return the array of a file, None without one."""
    return None if path is None else load_array(path)


def write_result(result: npt.NDArray[Any], out: Path | None) -> None:
    """Write a matrix to a file, whole or not at all, or print its bits by rows."""

    if out is not None:
        data = io.BytesIO()
        np.save(data, result)
        write_atomically(out, data.getvalue())
        return
    bits = np.ascontiguousarray(result).view(f"u{result.dtype.itemsize}")
    digits = 2 * result.dtype.itemsize
    for row in bits.reshape(-1, bits.shape[-1]).tolist():
        print(" ".join(f"{word:0{digits}x}" for word in row))
