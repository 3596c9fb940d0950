"""Quantising and dequantising blocks in torch: rules written out, and as shipped."""

from collections.abc import Callable

import numpy as np
import torch
from races import Work

torch.set_num_threads(1)

E2M1 = [sign * v for sign in (1, -1) for v in (0, 0.5, 1, 1.5, 2, 3, 4, 6)]


def written_out(rule: Callable) -> Work:
    """Codes and scales, then values."""
    eager = with_codes(rule)
    return from_numpy(lambda x: values(*eager(x)))


def compiled(rule: Callable) -> Work:
    """The same, each direction compiled."""
    forth, back = torch.compile(with_codes(rule)), torch.compile(values)
    return from_numpy(lambda x: back(*forth(x)))


def compiled_whole(rule: Callable) -> Work:
    """Values alone, in one compiled kernel."""
    return from_numpy(torch.compile(fused(rule)))


def from_numpy(rule: Callable) -> Work:
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
    size = (steps + 2 * exponent).clamp(max=7).to(torch.uint8)
    return size | (y < 0).to(torch.uint8) << 3


def values(codes, scale):
    return torch.tensor(E2M1)[codes.int()] * scale
