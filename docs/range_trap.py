"""Draw range-trap.svg: the error of blocks against their size below the largest.

Usage: python docs/range_trap.py (needs the extra `plot`)
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

import refnum as rn

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "refnum"
from matplotlib import pyplot as plt

LABELS = {
    "nvfp4_encode": "E4M3, encode scale",
    "ue5m3fp4_encode": "UE5M3, encode scale",
    "nvfp4": "E4M3, decode scale (NVFP4)",
}
BLOCKS = 512


def errors(name: str, log2_below: int) -> float:
    """Return the mean relative error of blocks 2**log2_below under the largest."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BLOCKS, 16)).astype(np.float32)
    x *= 2.0**-log2_below / np.abs(x).max(axis=1, keepdims=True)
    fmt = rn.blocks.block_format(name)
    y = rn.dequantize(rn.quantize(x, fmt, tensor_amax=1.0)).astype(np.float64)
    return float(
        np.mean(((x - y) ** 2).sum(axis=1) / (x.astype(float) ** 2).sum(axis=1))
    )


def main() -> None:
    """Write the figure beside this file."""
    steps = range(19)
    figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for name, label in LABELS.items():
        axes.plot(steps, [errors(name, k) for k in steps], marker=".", label=label)
    axes.set(yscale="log", xlabel="block maximum below the tensor's, in powers of two")
    axes.set(ylabel="mean relative squared error", xticks=range(0, 19, 2))
    axes.legend(frameon=False)
    figure.savefig(Path(__file__).with_name("range-trap.svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
