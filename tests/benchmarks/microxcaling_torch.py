"""microxcaling as its Python code runs on a CPU: each operation on a tensor, in its order.

For those who have not its package, which the tables call *mx*: the same bits, forward and
backward.
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


class Product(torch.autograd.Function):
    """A linear layer's products; all six operands are quantised along what is summed."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        y = torch.nn.functional.linear(quantized(x, -1), quantized(weight, -1))
        return y + bias

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        dw = torch.matmul(quantized(dy, -2).transpose(0, 1), quantized(x, -2))
        dx = torch.matmul(quantized(dy, -1), quantized(weight, 0))
        return dx, dw, dy.sum(0)


class Linear(torch.nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = Product.apply(x.flatten(0, -2), self.weight, self.bias)
        return y.unflatten(0, x.shape[:-1])
