"""The captures of one NVIDIA H100: what was converted, and by what.

A *capture* is what the chip gave for many inputs: either every code, or only the
SHA-256 of the code bytes of whole blocks of 2^24 float32 bit patterns.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from refnum.formats import Cast, Format, Rounding, format

__all__ = ["Conversion", "Words", "conversions", "load_capture", "random_words"]

_FOLDER = Path("hardware/h100")
_BLOCK = 1 << 24

# The names of the captures.
_TORCH = "torch_bf16_to_"
_CUDA = "bf16_to_"
_E8M0_ROUNDINGS = {"rz": Rounding.TOWARD_ZERO, "rp": Rounding.TOWARD_POSITIVE}

# High bytes of the float32 patterns of the blocks that the demo compares: one with the
# smallest values of the format, one negative with its largest or beyond.
_BLOCKS = {
    "e2m1": (0x3E, 0xC0),
    "e2m3": (0x3E, 0xC0),
    "e3m2": (0x3E, 0xC2),
    "e4m3": (0x3C, 0xC4),
    "e5m2": (0x38, 0xC8),
    "ue8m0": (0x00, 0xFE),
}


@dataclass(frozen=True)
class Conversion:
    """One captured conversion to codes.

    Parameters
    ----------
    name : str
        What ran, as it is shown.
    format : Format
        The target.
    asked : Cast
        The default cast with the rounding that the name of the conversion says.
    library : str
        The cast that should explain it, if the default does not: ``CUDA`` or
        ``TORCH_2_12``.
    digests : tuple of str
        SHA-256 of the codes of each block of inputs.
    """

    name: str
    format: Format
    asked: Cast
    library: str
    digests: tuple[str, ...]
    _blocks: tuple[Callable[[], npt.NDArray[np.float32]], ...] = field(repr=False)

    def inputs(self, block: int) -> npt.NDArray[np.float32]:
        """Return the input values of a block."""
        return self._blocks[block]()


@dataclass(frozen=True, eq=False)
class Words:
    """Captured random numbers of one function under several seeds and offsets.

    Parameters
    ----------
    name : str
        The function.
    arguments : tuple of tuple of int
        Its arguments: seed and first offset, or the seed alone.
    results : tuple of ndarray
        What it gave for each.
    """

    name: str
    arguments: tuple[tuple[int, ...], ...]
    results: tuple[npt.NDArray[np.generic], ...]


def conversions(golden: Path) -> list[Conversion]:
    """Return all captured conversions below a folder of golden files.

    Raises
    ------
    ValueError
        If a capture is damaged.
    OSError
        If one is missing.
    """
    codes = load_capture(golden, "cvt_bf16.npz")
    digests = _digests(golden / _FOLDER / "cvt_f32_digests.json")
    every = [_every_bf16(name, array) for name, array in codes.items()]
    return every + [_float32_blocks(name, by) for name, by in digests.items()]


def random_words(golden: Path) -> list[Words]:
    """Return the captured random numbers, one `Words` a function."""
    groups: dict[str, list[tuple[tuple[int, ...], npt.NDArray[np.generic]]]] = {}
    for key, array in load_capture(golden, "philox.npz").items():
        function, arguments = _split(key)
        groups.setdefault(function, []).append((arguments, array))
    return [
        Words(name, tuple(a for a, _ in group), tuple(r for _, r in group))
        for name, group in groups.items()
    ]


def _every_bf16(key: str, codes: npt.NDArray[np.generic]) -> Conversion:
    if codes.dtype != np.uint8 or codes.shape != (1 << 16,):
        raise ValueError(f"capture {key}: {codes.dtype} {codes.shape}, not 65536 uint8")
    torch = key.startswith(_TORCH)
    name = key.removeprefix(_TORCH).removeprefix(_CUDA)
    title = f"PyTorch bf16 to {name}" if torch else f"CUDA bf16 to {_title(name)}"
    return Conversion(
        name=title,
        format=format(name.removesuffix("_nosat")),
        asked=Cast(),
        library="TORCH_2_12" if torch else "CUDA",
        digests=(sha256(codes.tobytes()).hexdigest(),),
        _blocks=(_bfloat16_values,),
    )


def _float32_blocks(key: str, digests: dict[str, str]) -> Conversion:
    word, *qualities = key.split("_")
    fmt = format(word)
    cast = Cast()
    for quality in qualities:
        if quality in _E8M0_ROUNDINGS:
            cast = replace(cast, rounding=_E8M0_ROUNDINGS[quality])
    blocks = _BLOCKS[fmt.name]
    return Conversion(
        name=f"CUDA f32 to {_title(key)}",
        format=fmt,
        asked=cast,
        library="CUDA",
        digests=tuple(digests[str(block)] for block in blocks),
        _blocks=tuple(_Block(block) for block in blocks),
    )


@dataclass(frozen=True)
class _Block:
    """The values of all float32 patterns with one high byte, made when called."""

    index: int

    def __call__(self) -> npt.NDArray[np.float32]:
        first = self.index * _BLOCK
        return np.arange(first, first + _BLOCK, dtype=np.uint32).view(np.float32)


def _title(name: str) -> str:
    """Spell out what a name abbreviates: e8m0_rz_nosat."""
    words = {
        "rz": "toward zero",
        "rp": "toward +inf",
        "nosat": "no saturation",
    }
    first, *rest = name.split("_")
    return ", ".join([first, *(words.get(word, word) for word in rest)])


def _split(key: str) -> tuple[str, tuple[int, ...]]:
    words = key.split(".")
    numbers = tuple(int(word) for word in words if word.isdecimal())
    return ".".join(words[: len(words) - len(numbers)]), numbers


def load_capture(golden: Path, name: str) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays of one capture, by their names."""
    path = golden / _FOLDER / name
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: no readable archive ({error})") from None


def _digests(path: Path) -> dict[str, dict[str, str]]:
    try:
        document: Any = json.loads(path.read_bytes())
        block, digests = document["block"], document["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no digests of captures ({error})") from None
    if block != _BLOCK:
        raise ValueError(f"{path}: blocks of {block}; {_BLOCK} are expected")
    return dict(digests)


def _bfloat16_values() -> npt.NDArray[np.float32]:
    """Return the value of every bfloat16 bit pattern."""
    patterns = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
    return patterns.view(np.float32)
