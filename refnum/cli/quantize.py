"""`refnum quantize FILE.npy`: an array to codes and scales, as a folder of raw files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from refnum._files import write_atomically
from refnum.blocks import (
    BlockFormat,
    Quantized,
    block_format,
    dequantize,
    names,
    quantize,
)
from refnum.cli.values import load_array
from refnum.formats import pack
from refnum.golden import Bundle, Tensor, render_bundle
from refnum.random import philox4x32

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "quantize",
        help="quantise an array to a block format",
        description="Quantise a .npy file. The folder holds codes, scales, packed codes "
        "and tensor scale as raw little-endian files, and case.json.",
    )
    parser.add_argument(
        "file", type=Path, help="a .npy file of float16, float32, float64"
    )
    parser.add_argument("--format", required=True, help=f"one of {', '.join(names())}")
    parser.add_argument("--out", required=True, type=Path, help="folder to write")
    parser.add_argument("--axis", type=int, default=-1, help="the blocked axis (-1)")
    parser.add_argument("--tensor-amax", type=float, help="a held largest magnitude")
    parser.add_argument("--seed", type=int, help="Philox key of stochastic rounding")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Quantise the file and write the folder."""
    fmt = block_format(args.format)
    x = load_array(args.file)
    if args.tensor_amax == inf:
        raise ValueError("--tensor-amax must be finite")
    random = _random_of(fmt.stored, x.shape, args.seed)
    q = quantize(x, fmt, axis=args.axis, random=random, tensor_amax=args.tensor_amax)
    given = {"seed": args.seed, "tensor_amax": args.tensor_amax}
    spec = {name: value for name, value in given.items() if value is not None}
    write_quantized(q, x, args.out, spec)
    return 0


def write_quantized(
    q: Quantized, x: npt.NDArray[Any], folder: Path, spec: Mapping[str, Any]
) -> None:
    """Write a quantised array, each file whole or not at all; case.json comes last.

    `spec` is what decided the outputs, besides the block format and the axis.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # as `quantize` reads it
        single = x.astype(np.float32)
    tensors = [
        Tensor("x", "in", single),
        Tensor("codes", "out", q.codes),
        Tensor("scales", "out", q.scales),
        Tensor("packed", "out", pack(q.codes, q.format.element.bits)),
        Tensor("values", "out", dequantize(q)),
    ]
    if q.tensor_scale is not None:
        tensors.append(Tensor("tensor_scale", "out", np.asarray(q.tensor_scale)))
    facts = {"block_format": q.format.name, "axis": q.axis, **spec}
    files = render_bundle(Bundle("quantize", facts, tuple(tensors)))
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(files, key=lambda n: (n == "case.json", n)):
        write_atomically(folder / name, files[name])


def _random_of(
    fmt: BlockFormat, shape: tuple[int, ...], seed: int | None
) -> npt.NDArray[np.unsignedinteger] | None:
    """Return the random bits of each element; None for a format that takes none."""
    bits = fmt.element_cast.random_bits
    if bits is None:
        if seed is not None:
            raise ValueError(f"{fmt} takes no random bits: --seed has no meaning")
        return None
    if seed is None:
        raise ValueError(f"{fmt} rounds stochastically: --seed is needed")
    if not 0 <= seed < 2**64:
        raise ValueError(f"--seed must be from 0 to 2**64 - 1, not {seed}")
    return _random_bits(shape, seed, bits)


def _random_bits(
    shape: tuple[int, ...], seed: int, bits: int
) -> npt.NDArray[np.unsignedinteger]:
    """Return the top bits of Philox4x32-10 at counters 0, 1, …, in C order."""
    size = int(np.prod(shape))
    counters = np.zeros((-(-size // 4), 4), np.uint32)
    counters[:, 0] = np.arange(len(counters), dtype=np.uint32)
    key = np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], np.uint32)
    words = philox4x32(counters, key).reshape(-1)[:size]
    return (words >> np.uint32(32 - bits)).reshape(shape)
