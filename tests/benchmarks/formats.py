"""Races of the casts: encode, decode, round_to, stochastic rounding, packing."""

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from run import Entry, Race

import refnum as rn

MODES = rn.Rounding

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


def normals(size: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(size, dtype=np.float32)


def encode(size: int) -> Iterator[Race]:
    x = normals(size)
    for name in PEERS:
        entries = {"refnum": Entry(partial(rn.encode, fmt=name))} | peers(name, "to")
        yield Race(f"float32 to {name}", x, entries)


def decode(size: int) -> Iterator[Race]:
    for name in PEERS:
        codes = rn.encode(normals(size), name)
        entries = {"refnum": Entry(partial(rn.decode, fmt=name))} | peers(name, "from")
        yield Race(f"{name} to float32", codes, entries)


def round_to(size: int) -> Iterator[Race]:
    x = normals(size)
    for name in ("e4m3", "e2m1", "fp16"):
        entries = {"refnum": Entry(partial(rn.round_to, fmt=name))}
        yield Race(f"round to {name}", x, entries)
    yield Race(
        "float64 to e4m3",
        x.astype(np.float64),
        {"refnum": Entry(partial(rn.encode, fmt="e4m3"))} | peers("e4m3", "to"),
    )


def stochastic(size: int) -> Iterator[Race]:
    x = normals(size)
    words = np.random.default_rng(1).integers(1 << 16, size=size, dtype=np.uint16)
    cast = rn.Cast(rounding=MODES.STOCHASTIC_A, random_bits=16)
    for name in ("e4m3", "e2m1"):

        def work(part: np.ndarray, name: str = name) -> np.ndarray:
            return rn.encode(part, name, cast, random=words[: part.size])

        yield Race(f"float32 to {name}, A16", x, {"refnum": Entry(work, 1 / 8)}, False)


def pack(size: int) -> Iterator[Race]:
    for bits in (4, 6):
        codes = np.random.default_rng(0).integers(1 << bits, size=size, dtype=np.uint8)
        entries = {"refnum": Entry(partial(rn.pack, bits=bits))}
        yield Race(f"pack {bits} bits", codes, entries)
        data = rn.pack(codes, bits)
        entries = {"refnum": Entry(partial(unpack_all, bits=bits))}
        yield Race(f"unpack {bits} bits (bytes)", data, entries)


def unpack_all(data: np.ndarray, bits: int) -> np.ndarray:
    return rn.unpack(data, bits, data.size * 8 // bits)


def peers(name: str, direction: str) -> dict[str, Entry]:
    """Return the entries of the installed peers that have the format."""
    makers = {"ml_dtypes": of_ml_dtypes, "gfloat": of_gfloat, "torch": of_torch}
    names = zip(makers.items(), PEERS[name], strict=True)
    return {
        peer: maker(theirs, direction)
        for (peer, maker), theirs in names
        if theirs is not None and find_spec(peer) is not None
    }


def of_ml_dtypes(name: str, direction: str) -> Entry:
    import ml_dtypes

    kind = np.dtype(getattr(ml_dtypes, name))
    if direction == "to":
        return Entry(lambda x: x.astype(kind))
    return Entry(lambda codes: codes.view(kind).astype(np.float32))


def of_gfloat(name: str, direction: str) -> Entry:
    import gfloat
    from gfloat import formats

    info = getattr(formats, f"format_info_{name}")
    if direction == "from":
        return Entry(lambda codes: gfloat.decode_ndarray(info, codes), GFLOAT_SHARE)

    def convert(x: np.ndarray) -> np.ndarray:
        # Its formats without NaN or zero need the range of their numbers.
        x = np.maximum(np.abs(x.astype(np.float64)), 2.0**-100)
        return gfloat.encode_ndarray(info, gfloat.round_ndarray(info, x, sat=True))

    return Entry(convert, GFLOAT_SHARE)


def of_torch(name: str, direction: str) -> Entry:
    import torch

    torch.set_num_threads(1)
    kind = getattr(torch, name)
    if direction == "to":
        return Entry(lambda x: torch.from_numpy(x).to(kind))
    return Entry(lambda codes: torch.from_numpy(codes).view(kind).to(torch.float32))
