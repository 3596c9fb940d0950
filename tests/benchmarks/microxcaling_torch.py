"""microxcaling as its Python code runs on a CPU: each operation on a tensor, in its order.

For those who have not its package, which the tables call *mx*: the same bits.
"""

import torch

BLOCK = 32
EMAX, LARGEST, FRACTION_BITS = 2, 6.0, 1  # of E2M1
SCALE_EMAX = 127
TINY = 2.0**-126


def quantized(x: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the MXFP4 values of an array with blocks along an axis."""
    axis %= x.ndim
    blocks = x.unflatten(axis, (-1, BLOCK))
    amax, _ = torch.max(torch.abs(blocks), dim=axis + 1, keepdim=True)
    shared = torch.floor(torch.log2(amax + TINY * (amax == 0).type(x.dtype)))
    shared = shared - EMAX
    shared[shared > SCALE_EMAX] = float("nan")
    shared[shared < -SCALE_EMAX] = -SCALE_EMAX
    elements = rounded(blocks / 2**shared)
    return (elements * 2**shared).view(x.shape)


def rounded(y: torch.Tensor) -> torch.Tensor:
    """Return scaled values as elements, ties away from zero."""
    own = torch.floor(torch.log2(torch.abs(y) + (y == 0).type(y.dtype))).clip(min=0)
    out = y / 2**own * 2**FRACTION_BITS
    out = torch.sign(out) * torch.floor(torch.abs(out) + 0.5)
    out = out / 2**FRACTION_BITS * 2**own
    out = torch.clamp(out, min=-LARGEST, max=LARGEST)
    for special in ("inf", "-inf", "nan"):
        out[y == float(special)] = float(special)
    return out
