"""Linear layers of torch whose six operands are quantised, blocks along K."""

from collections.abc import Callable

import torch

Quantize = Callable[[torch.Tensor, int], torch.Tensor]
"""From a matrix and the axis along which its blocks lie, to its quantised values."""


def mxfp4_linear(quantize: Quantize) -> Callable[[int, int], torch.nn.Module]:
    """Return a class of layers."""

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight):
            ctx.save_for_backward(x, weight)
            return quantize(x, -1) @ quantize(weight, -1).t()

        @staticmethod
        def backward(ctx, dy):
            x, weight = ctx.saved_tensors
            dw = quantize(dy, 0).t() @ quantize(x, 0)
            return quantize(dy, -1) @ quantize(weight, 0), dw

    class Linear(torch.nn.Linear):
        def forward(self, x):
            y = Product.apply(x.flatten(0, -2), self.weight) + self.bias
            return y.unflatten(0, x.shape[:-1])

    return Linear


def along(rule: Callable[[torch.Tensor], torch.Tensor]) -> Quantize:
    """Return the quantiser of a rule that takes consecutive blocks."""

    def quantize(x: torch.Tensor, axis: int) -> torch.Tensor:
        turned = x.transpose(axis, -1).contiguous()
        return rule(turned).reshape(turned.shape).transpose(axis, -1)

    return quantize


def shipped_linear() -> Callable[[int, int], torch.nn.Module]:
    """Return microxcaling's own layers; their input is a matrix, as blocks of the
    products that are summed over its rows would not cross sequences otherwise.
    """
    import mx

    settings = mx.finalize_mx_specs(
        {
            "w_elem_format": "fp4_e2m1",
            "a_elem_format": "fp4_e2m1",
            "block_size": 32,
            "scale_bits": 8,
            "quantize_backprop": True,
            "custom_cuda": False,
        }
    )

    class Linear(mx.Linear):
        def __init__(self, inputs, outputs):
            super().__init__(inputs, outputs, mx_specs=settings)

        def forward(self, x):
            return super().forward(x.flatten(0, -2)).unflatten(0, x.shape[:-1])

    return Linear
