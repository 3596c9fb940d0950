"""Comparing what an H100 computed with refnum, and naming the policy that explains it.

Each capture is compared with the default cast. Where they differ, the casts of the
library that ran are tried, then all others; one that gives every captured code
explains the difference, and the inputs that differ are told by their kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from refnum.formats import Cast, Format, Rounding, casts, encode
from refnum.golden.captured_blocks import block_rows
from refnum.golden.captures import Conversion, Words, conversions, random_words
from refnum.golden.row import Row
from refnum.random import (
    torch_cuda_words,
    torch_uniform,
    triton_randint4x,
    triton_uniform,
)

__all__ = ["Row", "demonstrate"]

_DEFAULT = "default"
_TIES_OUT, _TIES_IN = Cast(Rounding.NEAREST_AWAY), Cast(Rounding.NEAREST_ZERO)
_FLOAT32_NORMAL = np.float32(2.0**-126)


def demonstrate(golden: Path) -> Iterator[Row]:
    """Yield one row a capture below a folder of golden files.

    Raises
    ------
    ValueError
        If a capture is damaged.
    OSError
        If one is missing.
    """
    for conversion in conversions(golden):
        yield _conversion_row(conversion)
    yield from block_rows(golden)
    for words in random_words(golden):
        yield _words_row(words)


def _conversion_row(capture: Conversion) -> Row:
    indices = range(len(capture.digests))
    cases = sum(capture.inputs(block).size for block in indices)
    found = next(
        (name for name, cast in _candidates(capture) if _gives(capture, cast)), None
    )
    if found is None:
        return Row(capture.name, cases, None, None, {}, {})
    if found == _DEFAULT:
        policy = _policy("default cast", capture.asked)
        return Row(capture.name, cases, 0, policy, {}, {})
    cast, choices = _needed(capture, dict(_candidates(capture))[found])
    kinds: dict[str, int] = {}
    for block in indices:
        x = capture.inputs(block)
        captured = encode(x, capture.format, cast)
        wrong = captured != encode(x, capture.format, capture.asked)
        for kind, count in _kinds(x[wrong], capture.format).items():
            kinds[kind] = kinds.get(kind, 0) + count
    policy = _policy(f"casts.{found}", capture.asked)
    return Row(capture.name, cases, sum(kinds.values()), policy, choices, kinds)


def _needed(capture: Conversion, cast: Cast) -> tuple[Cast, dict[str, str]]:
    """Return the cast with each field at its default that the capture does not need."""
    default = capture.asked.resolve(capture.format)
    choices = {}
    for name in (field.name for field in fields(Cast)):
        choice = getattr(cast, name)
        if choice == getattr(default, name):
            continue
        without = replace(cast, **{name: getattr(default, name)})
        if _gives(capture, without):
            cast = without
        else:
            choices[name] = str(getattr(choice, "value", choice))
    return cast, choices


def _candidates(capture: Conversion) -> Iterator[tuple[str, Cast]]:
    """Yield the default, the casts of the library that ran, and all others."""
    yield _DEFAULT, capture.asked
    family = capture.library.partition("_")[0]
    names = sorted(
        casts.names(),
        key=lambda name: (name != capture.library, not name.startswith(family)),
    )
    for name in names:
        cast = getattr(casts, name).resolve(capture.format)
        if cast.random_bits is not None:
            continue
        if capture.asked.rounding is not Rounding.NEAREST_EVEN:
            cast = replace(cast, rounding=capture.asked.rounding)
        yield name, cast


def _gives(capture: Conversion, cast: Cast) -> bool:
    return all(
        sha256(_codes(capture, block, cast)).hexdigest() == digest
        for block, digest in enumerate(capture.digests)
    )


def _codes(capture: Conversion, block: int, cast: Cast) -> memoryview:
    return encode(capture.inputs(block), capture.format, cast).data


def _kinds(x: npt.NDArray[np.float32], fmt: Format) -> dict[str, int]:
    """Count inputs by kind, the most special first."""
    size, left = np.abs(x), np.ones(x.shape, bool)
    tests = {
        "NaN": np.isnan(x),
        "infinity": np.isinf(x),
        "zero": x == 0,
        "overflow": size > fmt.max,
        "tie": encode(x, fmt, _TIES_OUT) != encode(x, fmt, _TIES_IN),
        "float32 subnormal": size < _FLOAT32_NORMAL,
        "negative": np.signbit(x),
        "positive": ~np.signbit(x),
    }
    counts = {}
    for kind, holds in tests.items():
        if count := int(np.count_nonzero(holds & left)):
            counts[kind] = count
        left &= ~holds
    return counts


def _policy(name: str, asked: Cast) -> str:
    rounding = asked.rounding
    plain = rounding is Rounding.NEAREST_EVEN
    return name if plain else f"{name}, {rounding.value}"


def _words_row(words: Words) -> Row:
    cases = differing = 0
    for arguments, result in zip(words.arguments, words.results, strict=True):
        expected = _expected(words.name, arguments, result.shape)
        same = expected.view(np.uint32) == result.view(np.uint32)
        cases, differing = cases + result.size, differing + int(np.sum(~same))
    function, name = _GENERATORS[words.name]
    explained = None if differing else function
    return Row(name, cases, differing, explained, {}, {})


_GENERATORS = {
    "randint4x": ("random.triton_randint4x", "Triton tl.randint4x"),
    "rand": ("random.triton_uniform", "Triton tl.rand"),
    "torch.rand": ("random.torch_cuda_words", "PyTorch torch.rand"),
}


def _expected(
    name: str, arguments: tuple[int, ...], shape: tuple[int, ...]
) -> npt.NDArray[np.generic]:
    if name not in _GENERATORS:
        raise ValueError(f"capture {name}: only {', '.join(_GENERATORS)} are known")
    if name == "torch.rand":
        return torch_uniform(torch_cuda_words(arguments[0], shape[-1]))
    seed, first = arguments
    words = triton_randint4x(seed, first + np.arange(shape[-1], dtype=np.uint64))
    if name == "rand":
        return triton_uniform(words[:, 0])
    return np.ascontiguousarray(words.T)
