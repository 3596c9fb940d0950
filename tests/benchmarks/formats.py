"""Races of the casts: encode, decode, round_to, stochastic rounding, packing."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from races import Entry, Race, Work, normals, ours

# Formats and what the peers call them; None where a peer lacks it.
PEERS = {
    "e4m3": ("float8_e4m3fn", "ocp_e4m3", "float8_e4m3fn"),
    "e5m2": ("float8_e5m2", "ocp_e5m2", "float8_e5m2"),
    "e2m1": ("float4_e2m1fn", "ocp_e2m1", None),
    "e2m3": ("float6_e2m3fn", "ocp_e2m3", None),
    "ue8m0": ("float8_e8m0fnu", "ocp_e8m0", "float8_e8m0fnu"),
    "ue5m3": (None, None, None),
    "bf16": ("bfloat16", "bfloat16", "bfloat16"),
}
GFLOAT_SHARE = 1 / 64


def encode(size: int) -> Iterator[Race]:
    for name in PEERS:
        entries = {"refnum": Entry(ours("encode", fmt=name))} | peers(name, "to")
        yield Race(f"float32 to {name}", normals(size), entries)


def decode(size: int) -> Iterator[Race]:
    for name in PEERS:
        entries = {"refnum": Entry(ours("decode", fmt=name))} | peers(name, "from")
        yield Race(f"{name} to float32", codes_of(name, size), entries)


def codes_of(name: str, size: int) -> Callable[[], np.ndarray]:
    draw = normals(size)
    return lambda: ours("encode", fmt=name)()(draw())


def round_to(size: int) -> Iterator[Race]:
    draw = normals(size)
    for name in ("e4m3", "e2m1", "fp16"):
        entries = {"refnum": Entry(ours("round_to", fmt=name))}
        yield Race(f"round to {name}", draw, entries)
    yield Race(
        "float64 to e4m3",
        lambda: draw().astype(np.float64),
        {"refnum": Entry(ours("encode", fmt="e4m3"))} | peers("e4m3", "to"),
    )


def stochastic(size: int) -> Iterator[Race]:
    for name in ("e4m3", "e2m1"):
        entries = {"refnum": Entry(partial(with_words, name, size), 1 / 8)}
        yield Race(f"float32 to {name}, A16", normals(size), entries, False)


def with_words(name: str, size: int) -> Work:
    import refnum as rn

    words = np.random.default_rng(1).integers(1 << 16, size=size, dtype=np.uint16)
    cast = rn.Cast(rounding=rn.Rounding.STOCHASTIC_A, random_bits=16)
    return lambda x: rn.encode(x, name, cast, random=words[: x.size])


def pack(size: int) -> Iterator[Race]:
    for bits in (4, 6):
        draw = partial(codes_below, 1 << bits, size)
        yield Race(
            f"pack {bits} bits", draw, {"refnum": Entry(ours("pack", bits=bits))}
        )
        packed = partial(codes_below, 256, size * bits // 8)
        entries = {"refnum": Entry(partial(unpacking, bits))}
        yield Race(f"unpack {bits} bits (bytes)", packed, entries)


def codes_below(limit: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(limit, size=size, dtype=np.uint8)


def unpacking(bits: int) -> Work:
    unpack = ours("unpack", bits=bits)()
    return lambda data: unpack(data, count=data.size * 8 // bits)


def peers(name: str, direction: str) -> dict[str, Entry]:
    """Return the entries of the installed peers that have the format."""
    makers = {"ml_dtypes": of_ml_dtypes, "gfloat": of_gfloat, "torch": of_torch}
    names = zip(makers.items(), PEERS[name], strict=True)
    return {
        peer: Entry(
            partial(maker, theirs, direction), GFLOAT_SHARE if peer == "gfloat" else 1
        )
        for (peer, maker), theirs in names
        if theirs is not None and find_spec(peer) is not None
    }


def of_ml_dtypes(name: str, direction: str) -> Work:
    import ml_dtypes

    kind = np.dtype(getattr(ml_dtypes, name))
    if direction == "to":
        return lambda x: x.astype(kind)
    return lambda codes: codes.view(kind).astype(np.float32)


def of_gfloat(name: str, direction: str) -> Work:
    import gfloat
    from gfloat import formats

    info = getattr(formats, f"format_info_{name}")
    if direction == "from":
        return lambda codes: gfloat.decode_ndarray(info, codes)

    def convert(x: np.ndarray) -> np.ndarray:
        # Its formats without NaN or zero need the range of their numbers.
        x = np.maximum(np.abs(x.astype(np.float64)), 2.0**-100)
        return gfloat.encode_ndarray(info, gfloat.round_ndarray(info, x, sat=True))

    return convert


def of_torch(name: str, direction: str) -> Work:
    import torch

    torch.set_num_threads(1)
    kind = getattr(torch, name)
    if direction == "to":
        return lambda x: torch.from_numpy(x).to(kind)
    return lambda codes: torch.from_numpy(codes).view(kind).to(torch.float32)
