"""Races of the block formats: quantise float32 and dequantise to float32.

The peers do the same work in torch: torchao as shipped, and the documented orders of
microxcaling and Transformer Engine written out, eager and under `torch.compile`. Two are
another kind of work, which writes no codes: *fused* has both directions in one compiled
kernel, and *mx* is microxcaling's own function, where its package can be imported.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from run import Entry, Race

import refnum as rn

Work = Callable[[np.ndarray], object]


@dataclass(frozen=True)
class Output:
    """All that was computed; its size counts as output, not as memory in between."""

    quantized: rn.Quantized
    values: np.ndarray

    @property
    def nbytes(self) -> int:
        parts = self.quantized.codes, self.quantized.scales, self.values
        return sum(part.nbytes for part in parts)


def quantize(size: int) -> Iterator[Race]:
    x = np.random.default_rng(0).standard_normal(size, dtype=np.float32)
    peers: dict[str, dict[str, Entry]] = {"mxfp4": {}, "nvfp4": {}}
    if find_spec("torch"):
        peers = torch_peers()
    for fmt in (rn.MXFP4, rn.NVFP4):
        yield Race(str(fmt), x, {"refnum": Entry(ours(fmt))} | peers[str(fmt)])
    for fmt in (rn.MXFP8_E4M3, rn.blocks.NVFP4_16X16, rn.blocks.FP8_PER_TENSOR):
        yield Race(str(fmt), x, {"refnum": Entry(ours(fmt))})


def ours(fmt: rn.BlockFormat) -> Work:
    def work(x: np.ndarray) -> Output:
        q = rn.quantize(x.reshape(-1, 1024), fmt)
        return Output(q, rn.dequantize(q))

    return work


def torch_peers() -> dict[str, dict[str, Entry]]:
    import torch

    torch.set_num_threads(1)
    peers = {}
    for name, library, rule in (
        ("mxfp4", "microxcaling", microxcaling),
        ("nvfp4", "TE's order", transformer_engine),
    ):
        eager = with_codes(rule)
        forth, back = torch.compile(eager), torch.compile(values)
        entries = {
            library: Entry(from_numpy(lambda x, f=eager: values(*f(x)))),
            "compiled": Entry(from_numpy(lambda x, f=forth, b=back: b(*f(x)))),
            "fused": Entry(from_numpy(torch.compile(fused(rule)))),
        }
        if find_spec("torchao"):
            entries["torchao"] = Entry(torchao(name))
        if find_spec("mx") and name == "mxfp4":
            entries["mx"] = Entry(from_numpy(shipped_microxcaling))
        peers[name] = entries
    return peers


def from_numpy(rule: Callable) -> Work:
    import torch

    def work(x: np.ndarray) -> object:
        with torch.no_grad():
            return rule(torch.from_numpy(x))

    return work


def torchao(name: str) -> Work:
    import torch
    from torchao.prototype.mx_formats import mx_tensor, nvfp4_tensor

    def mxfp4(x: torch.Tensor) -> torch.Tensor:
        kind = torch.float4_e2m1fn_x2
        scale, data = mx_tensor.to_mx(x.reshape(-1, 1024), kind, 32)
        return mx_tensor.to_dtype(data, scale, kind, 32, torch.float32)

    def nvfp4(x: torch.Tensor) -> torch.Tensor:
        scale = nvfp4_tensor.per_tensor_amax_to_scale(x.abs().max())
        rows = x.reshape(-1, 1024)
        scales, data = nvfp4_tensor.nvfp4_quantize(rows, 16, scale)
        codes = mx_tensor.unpack_uint4(data)
        values = mx_tensor.f4_unpacked_to_f32(codes).reshape(-1, 16)
        return values * (scale * scales.float()).reshape(-1, 1)

    return from_numpy({"mxfp4": mxfp4, "nvfp4": nvfp4}[name])


def shipped_microxcaling(x):
    from mx.mx_ops import _quantize_mx

    return _quantize_mx(
        x.reshape(-1, 1024), 8, elem_format="fp4_e2m1", axes=[-1], block_size=32
    )


def fused(rule: Callable) -> Callable:
    import torch

    def work(x):
        y, steps, own, scale = rule(x)
        return torch.copysign(steps * torch.exp2(own - 1), y).clamp(-6, 6) * scale

    return work


def with_codes(rule: Callable) -> Callable:
    def work(x):
        y, steps, own, scale = rule(x)
        return codes(y, steps, own), scale

    return work


def microxcaling(x):
    """Logarithms, ties away from zero: scaled values, their steps and binades, scales."""
    import torch

    x = x.reshape(-1, 32)
    amax = x.abs().amax(dim=1, keepdim=True)
    shared = torch.floor(torch.log2(amax + 2.0**-126 * (amax == 0))) - 2
    scale = torch.exp2(shared.clamp(-127, 127))
    y = x / scale
    own = torch.floor(torch.log2(y.abs() + (y == 0))).clamp(0, 2)
    steps = torch.floor(y.abs() * torch.exp2(1 - own) + 0.5)
    return y, steps, own, scale


def transformer_engine(x):
    """Its reference's order; both scales as one."""
    import torch

    largest = torch.finfo(torch.float32).max
    tensor_amax = x.abs().max()
    x = x.reshape(-1, 16)
    encode = (2688 / tensor_amax).clamp(max=largest)
    amax = x.abs().amax(dim=1, keepdim=True)
    scale = (amax * (encode * (1 / 6))).clamp(max=448).to(torch.float8_e4m3fn).float()
    y = x * (1 / (scale * (1 / encode))).clamp(max=largest)
    own = (y.abs() >= 2).float() + (y.abs() >= 4)
    steps = torch.round(y.abs() * torch.exp2(1 - own))
    return y, steps, own, scale * (tensor_amax / 2688)


def codes(y, steps, exponent):
    """E2M1 codes from the steps of the binade: two codes a binade, a carry fits."""
    import torch

    size = (steps + 2 * exponent).clamp(max=7).to(torch.uint8)
    return size | (y < 0).to(torch.uint8) << 3


def values(codes, scale):
    import torch

    table = torch.from_numpy(rn.E2M1.values.astype(np.float32))
    return table[codes.int()] * scale
