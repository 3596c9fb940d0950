"""Races of the block formats: quantise float32 and dequantise to float32.

The peers do the same work in torch: torchao as shipped, and the documented orders of
microxcaling and Transformer Engine written out, eager and under `torch.compile`. Some are
another kind of work, which writes no codes: *fused* has both directions in one compiled
kernel, and *unfused* is microxcaling operation by operation as its code has them (*mx* its
own function, where the package can be imported).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from races import Entry, Race, Work, normals

RULES = {
    "mxfp4": ("microxcaling", "microxcaling"),
    "nvfp4": ("TE's order", "transformer_engine"),
}
"""Of a format: what the table calls the rule of a library, and its function here."""
OTHERS = "mxfp8_e4m3", "nvfp4_16x16", "fp8_per_tensor"


@dataclass(frozen=True)
class Output:
    """All that was computed; its size counts as output, not as memory in between."""

    quantized: Any
    values: np.ndarray

    @property
    def nbytes(self) -> int:
        parts = self.quantized.codes, self.quantized.scales, self.values
        return sum(part.nbytes for part in parts)


def quantize(size: int) -> Iterator[Race]:
    for name in RULES:
        entries = {"refnum": Entry(partial(forth_and_back, name))}
        if find_spec("torch"):
            entries |= torch_peers(name)
        yield Race(name, normals(size), entries)
    for name in OTHERS:
        entries = {"refnum": Entry(partial(forth_and_back, name))}
        yield Race(name, normals(size), entries)


def forth_and_back(name: str) -> Work:
    import refnum as rn

    fmt = rn.blocks.block_format(name)

    def work(x: np.ndarray) -> Output:
        q = rn.quantize(x.reshape(-1, 1024), fmt)
        return Output(q, rn.dequantize(q))

    return work


def torch_peers(name: str) -> dict[str, Entry]:
    library, rule = RULES[name]
    entries = {
        library: Entry(partial(in_torch, "written_out", rule)),
        "compiled": Entry(partial(in_torch, "compiled", rule)),
        "fused": Entry(partial(in_torch, "compiled_whole", rule)),
    }
    if find_spec("torchao"):
        entries["torchao"] = Entry(partial(torchao, name))
    if name == "mxfp4":
        entries["unfused"] = Entry(unfused)
        if find_spec("mx"):
            entries["mx"] = Entry(mx)
    return entries


def in_torch(way: str, rule: str) -> Work:
    import blocks_torch

    return getattr(blocks_torch, way)(getattr(blocks_torch, rule))


def torchao(name: str) -> Work:
    import blocks_torch

    return blocks_torch.torchao(name)


def unfused() -> Work:
    from blocks_torch import from_numpy
    from microxcaling_torch import quantized

    return from_numpy(lambda x: quantized(x.reshape(-1, 1024), -1))


def mx() -> Work:
    import blocks_torch

    return blocks_torch.from_numpy(blocks_torch.shipped_microxcaling)
