"""The names of the six operand roles and of the three products of a linear layer.

Vocabulary. A linear layer has an input X (M, K), a weight W (N, K) and computes *fprop*
Y = X W^T; from the gradient dY (M, N) of Y the backward pass computes *dgrad*
dX = dY W and *wgrad* dW = dY^T X. A *role* is one operand of one product; its blocks
run along the axis that the product reduces.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GEMMS", "ROLES", "Role"]


@dataclass(frozen=True)
class Role:
    """One operand of one product.

    Parameters
    ----------
    name : str
        As in `Recipe`.
    gemm : str
        Its product.
    tensor : str
        ``"x"``, ``"w"`` or ``"dy"``: the array that it is made from.
    axis : int
        The axis of that array which the product reduces.
    """

    name: str
    gemm: str
    tensor: str
    axis: int


ROLES = {
    role.name: role
    for role in (
        Role("fprop_x", "fprop", "x", 1),
        Role("fprop_w", "fprop", "w", 1),
        Role("dgrad_dy", "dgrad", "dy", 1),
        Role("dgrad_w", "dgrad", "w", 0),
        Role("wgrad_dy", "wgrad", "dy", 0),
        Role("wgrad_x", "wgrad", "x", 0),
    )
}
"""All roles by name."""

GEMMS = {
    "fprop": ("fprop_x", "fprop_w"),
    "dgrad": ("dgrad_dy", "dgrad_w"),
    "wgrad": ("wgrad_dy", "wgrad_x"),
}
"""The two roles of each product."""
