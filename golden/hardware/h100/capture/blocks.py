"""Make blocks.npz: run blocks.cu on an H100 and keep what it computed.

Usage: python blocks.py input FILE  |  python blocks.py pack INPUT OUTPUT NPZ
"""

import sys

import numpy as np

COUNT = 1 << 15
VARIANTS = {
    "mxfp4_nvidia": 32,
    "mxfp8_nvidia": 32,
    "nvfp4": 16,
    "nvfp4_cublas": 16,
    "nvfp4_flashinfer": 16,
    "nvfp4_vllm": 16,
}


def values() -> np.ndarray:
    """Return bfloat16 values: normals whose rows of 32 differ by up to 2**24."""
    rng = np.random.default_rng(20261125)
    x = rng.standard_normal((COUNT // 32, 32)) * np.exp2(
        rng.uniform(-24, 0, (COUNT // 32, 1))
    )
    x[5], x[6, :16], x[7, ::3] = 0, 0, -0.0
    bits = x.astype(np.float32).view(np.uint32)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


if __name__ == "__main__":
    if sys.argv[1] == "input":
        values().tofile(sys.argv[2])
        print(repr(float(np.abs(values()).max())))
    else:
        x = np.fromfile(sys.argv[2], np.float32)
        data = np.fromfile(sys.argv[3], np.uint8)
        arrays = {"x": (x.view(np.uint32) >> 16).astype(np.uint16).reshape(-1, 32)}
        place = 0
        for name, size in VARIANTS.items():
            blocks = COUNT // size
            arrays[f"{name}.scales"] = data[place : place + blocks].reshape(
                -1, 32 // size
            )
            place += blocks
            arrays[f"{name}.codes"] = data[place : place + COUNT].reshape(-1, 32)
            place += COUNT
        assert place == data.size
        np.savez_compressed(sys.argv[4], **arrays)
