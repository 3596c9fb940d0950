"""Two Triton kernels, each with one planted mistake: `WRONG` turns it on."""

import torch
import triton
import triton.language as tl


@triton.jit
def mxfp8_kernel(x, scales, codes, WRONG: tl.constexpr):
    """MXFP8 (E4M3) by the floor rule, one program for each block of 32 values.

    The mistake: the exponent is rounded up, not down.
    """
    block = tl.program_id(0)
    place = block * 32 + tl.arange(0, 32)
    values = tl.load(x + place)
    amax = tl.max(tl.abs(values), axis=0)
    bits = amax.to(tl.int32, bitcast=True)
    if WRONG:
        bits += 0x7FFFFF
    exponent = tl.maximum((bits >> 23) - 8, 0)
    tl.store(scales + block, exponent.to(tl.uint8))
    # 2^(127 - exponent), in two factors that are normal numbers.
    half = (127 - exponent) // 2
    one = ((half + 127) << 23).to(tl.float32, bitcast=True)
    other = ((127 - exponent - half + 127) << 23).to(tl.float32, bitcast=True)
    scaled = values * one * other
    scaled = tl.minimum(tl.maximum(scaled, -448.0), 448.0)
    tl.store(codes + place, scaled.to(tl.float8e4nv).to(tl.uint8, bitcast=True))


@triton.jit
def hadamard_kernel(x, signs, y, WRONG: tl.constexpr):
    """The 16-point Hadamard rotation of one run, signs first, summed in float64.

    The sum of 16 float32 of like size is exact in float64, so there is one rounding.
    The mistake: the signs are applied after the rotation.
    """
    run = tl.program_id(0)
    row = tl.arange(0, 16)
    column = tl.arange(0, 16)
    values = tl.load(x + run * 16 + row).to(tl.float64)
    sign = tl.load(signs + row).to(tl.float64)
    if not WRONG:
        values *= sign
    common = row[:, None] & column[None, :]
    parity = (common ^ (common >> 1) ^ (common >> 2) ^ (common >> 3)) & 1
    matrix = 1.0 - 2.0 * parity.to(tl.float64)
    total = tl.sum(values[:, None] * matrix, axis=0) * 0.25
    if WRONG:
        total *= sign
    tl.store(y + run * 16 + column, total.to(tl.float32))


def mxfp8(x: torch.Tensor, wrong: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scale codes and element codes of rows whose length is a multiple of 32."""
    blocks = x.numel() // 32
    scales = torch.empty(blocks, dtype=torch.uint8, device=x.device)
    codes = torch.empty(x.shape, dtype=torch.uint8, device=x.device)
    mxfp8_kernel[(blocks,)](x, scales, codes, WRONG=wrong)
    return scales, codes


def hadamard(x: torch.Tensor, signs: torch.Tensor, wrong: bool) -> torch.Tensor:
    """Return each run of 16 values rotated."""
    y = torch.empty_like(x)
    hadamard_kernel[(x.numel() // 16,)](x, signs, y, WRONG=wrong)
    return y
