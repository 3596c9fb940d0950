"""Draw accumulation.svg: how far products of E4M3 codes are from exact, over K.

Usage: python docs/accumulation.py (needs the extra `plot`)
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

import refnum as rn

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "refnum"
from matplotlib import pyplot as plt

DEPTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
SIZE = 32
SCHEDULES = {
    "Ada, mma": ("sm89.mma.e4m3.e4m3.f32", None),
    "Hopper, wgmma": ("sm90.wgmma.e4m3.e4m3.f32", None),
    "Hopper, promoted every 128": ("sm90.wgmma.e4m3.e4m3.f32", 128),
    "Hopper, mma.sync (emulated)": ("sm90.mma.e4m3.e4m3.f32", None),
    "Blackwell, tcgen05": ("sm100.tcgen05.e4m3.e4m3.f32", None),
}


def operands(depth: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return E4M3 codes of half-normal values: sums grow with K."""
    rng = np.random.default_rng(depth)
    a = np.abs(rng.standard_normal((SIZE, depth)))
    b = np.abs(rng.standard_normal((depth, SIZE)))
    return rn.encode(a, rn.E4M3), rn.encode(b, rn.E4M3)


def error(name: str, promote: int | None, depth: int) -> float:
    """Return the root mean square of the relative error, against the exact sum."""
    a, b = operands(depth)
    exact = rn.decode(a, rn.E4M3, np.float64) @ rn.decode(b, rn.E4M3, np.float64)
    found = rn.gemm(a, b, name, promote_every=promote).astype(np.float64)
    return float(np.sqrt(np.mean((found / exact - 1) ** 2)))


def float32_error(depth: int) -> float:
    """Return the same for float32 additions one after the other."""
    a, b = (rn.decode(codes, rn.E4M3) for codes in operands(depth))
    exact = a.astype(np.float64) @ b.astype(np.float64)
    found = rn.matmul(a, b, accumulator=rn.SEQUENTIAL).astype(np.float64)
    return float(np.sqrt(np.mean((found / exact - 1) ** 2)))


def rows() -> dict[str, list[float]]:
    """Return the error at each depth, by schedule."""
    table = {
        label: [error(name, promote, depth) for depth in DEPTHS]
        for label, (name, promote) in SCHEDULES.items()
    }
    table["float32, one after the other"] = [float32_error(depth) for depth in DEPTHS]
    return table


def main() -> None:
    """Print the table and write the figure beside this file."""
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    print("| | " + " | ".join(f"K={depth}" for depth in DEPTHS) + " |")
    print("|---|" + "---|" * len(DEPTHS))
    for label, errors in rows().items():
        print(f"| {label} | " + " | ".join(f"{e:.1e}" for e in errors) + " |")
        axes.plot(DEPTHS, errors, marker=".", label=label)
    axes.set(xscale="log", yscale="log", xlabel="K", ylabel="relative error (rms)")
    axes.set_xticks(DEPTHS, [str(depth) for depth in DEPTHS])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(
        Path(__file__).with_name("accumulation.svg"), metadata={"Date": None}
    )


if __name__ == "__main__":
    main()
