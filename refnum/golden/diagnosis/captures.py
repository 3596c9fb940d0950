"""Captures of a chip as golden files: ``golden/hardware/h100/blocks.npz:nvfp4``."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from refnum.blocks import block_format
from refnum.formats import FP32, Format, format
from refnum.formats.casts import CUDA, CUDA_NOSAT, TORCH_2_12
from refnum.golden.diagnosis.blocks import Quantization
from refnum.golden.diagnosis.casts import Encoding, compute_codes, encode_deviations
from refnum.golden.diagnosis.deviation import Array, Subject
from refnum.golden.diagnosis.products import Product
from refnum.golden.diagnosis.random import Generator, compute_philox, philox_deviations
from refnum.golden.diagnosis.subjects import block_subject, product_subject
from refnum.products import instruction

__all__ = ["capture_subject", "is_capture"]

Arrays = Mapping[str, Array]

_HOPPER = "sm90.wgmma.{}.{}.f32"
_PROMOTED = 128


def is_capture(place: Path | str) -> bool:
    """Whether a golden file is a capture: ``FILE.npz:NAME``, or the file alone."""
    return str(place).rpartition(":")[0].endswith(".npz") or str(place).endswith(".npz")


def capture_subject(place: Path | str) -> Subject:
    """Return the subject of a capture.

    Parameters
    ----------
    place : Path or str
        ``FILE.npz:NAME``, where NAME is what ran.

    Raises
    ------
    ValueError
        If the archive is damaged, or has no such capture; the message lists them.
    OSError
        If it cannot be read.
    """
    path, _, name = str(place).rpartition(":")
    if not path.endswith(".npz"):
        path, name = str(place), ""
    arrays = _load(Path(path))
    readers = _READERS.get(Path(path).name)
    if readers is None:
        known = ", ".join(_READERS)
        raise ValueError(f"{path}: no such capture can be diagnosed; {known} can")
    listed, read = readers
    names = listed(arrays)
    if name not in names:
        raise ValueError(f"{path}: no capture {name!r}; there are {', '.join(names)}")
    try:
        return read(arrays, name, str(place))
    except KeyError as error:
        raise ValueError(f"{path}: no array {error.args[0]}") from None


def _load(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: no readable archive ({error})") from None


def _conversion(arrays: Arrays, name: str, title: str) -> Subject:
    """A conversion of every bfloat16 pattern, by CUDA or by PyTorch."""
    word = name.removeprefix("torch_").removeprefix("bf16_to_")
    fmt = format(word.removesuffix("_nosat"))
    cast = TORCH_2_12 if name.startswith("torch_") else CUDA
    cast = (CUDA_NOSAT if word.endswith("_nosat") else cast).resolve(fmt)
    record = Encoding(fmt, replace(cast, via=None) if cast.via == FP32 else cast)
    x = (np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)).view(np.float32)
    return Subject(
        name=title,
        record=record,
        compute=partial(compute_codes, x=x, random=None),
        outputs={"code": arrays[name]},
        deviations=encode_deviations(record),
        inputs={"x": x},
    )


def _blocks(arrays: Arrays, name: str, title: str) -> Subject:
    x = (arrays["x"].astype(np.uint32) << np.uint32(16)).view(np.float32)
    record = Quantization(block_format(name))
    outputs = {key: arrays[f"{name}.{key}"] for key in ("scales", "codes")}
    return block_subject(title, x, record, outputs)


def _single(arrays: Arrays, name: str, title: str) -> Subject:
    """Many single instructions of one kind; B lies column by column."""
    op, *types = name.split("_")
    narrow = len(types) == 2 and types[1] == "f16"
    a, b = (types[0], types[-1]) if not narrow else (types[0], types[0])
    row = instruction(f"sm90.{op}.{a}.{b}.{'f16' if narrow else 'f32'}")
    kind = np.float16 if narrow else np.float32
    operands = {
        "a": arrays[f"{name}.A"],
        "b": arrays[f"{name}.B"].swapaxes(-1, -2),
        "c": arrays[f"{name}.C"].view(kind),
    }
    return product_subject(
        title, Product(row), arrays[f"{name}.D"].view(kind), operands
    )


def _library(arrays: Arrays, name: str, title: str) -> Subject:
    """A product of cuBLASLt: ``128.D.fast.float32`` or ``128.bf16.D``."""
    depth, *words = name.split(".")
    out: Format | None
    every: int | None
    if words[-1] == "D":
        kind = words[0]
        a, b = (arrays[f"{depth}.{kind}.{side}"].view(np.uint16) for side in "AB")
        op, out, every = _HOPPER.format(kind, kind), format(kind), None
    else:
        a, b = arrays[f"{depth}.A"], arrays[f"{depth}.B"].T
        op = _HOPPER.format("e4m3", "e4m3")
        out = format("bf16") if words[-1] == "bfloat16" else None
        every = None if words[1] == "fast" else _PROMOTED
    record = Product(instruction(op), every, out=out, codes=out is not None)
    d = arrays[name].view(np.float32 if out is None else np.uint16)
    return product_subject(title, record, d, {"a": a, "b": b})


def _words(arrays: Arrays, name: str, title: str) -> Subject:
    """Four words for each of many consecutive offsets, under a seed."""
    seed, first = map(int, name.split(".")[1:])
    words = np.ascontiguousarray(arrays[name].T).view(np.uint32)
    counters = np.zeros((len(words), 4), np.uint64)
    counters[:, 0] = (first + np.arange(len(words))) & 0xFFFFFFFF
    keys = np.zeros((len(words), 2), np.uint64)
    keys[:, 0], keys[:, 1] = seed & 0xFFFFFFFF, seed >> 32
    record = Generator()
    return Subject(
        name=title,
        record=record,
        compute=partial(compute_philox, counters=counters, keys=keys),
        outputs={"words": words},
        deviations=philox_deviations(record),
        inputs={},
        width=4,
    )


def _ending(*ends: str) -> Callable[[Arrays], list[str]]:
    """Return the function that lists the arrays with these ends, without the last."""
    return lambda arrays: [
        key[: -len(end)] for end in ends for key in arrays if key.endswith(end)
    ]


_READERS: dict[
    str,
    tuple[Callable[[Arrays], list[str]], Callable[[Arrays, str, str], Subject]],
] = {
    "cvt_bf16.npz": (list, _conversion),
    "blocks.npz": (_ending(".codes"), _blocks),
    "mma.npz": (_ending(".D"), _single),
    "wgmma.npz": (_ending(".D"), _single),
    "gemm.npz": (lambda arrays: [key for key in arrays if ".D" in key], _library),
    "philox.npz": (
        lambda arrays: [key for key in arrays if key.startswith("randint4x")],
        _words,
    ),
}
