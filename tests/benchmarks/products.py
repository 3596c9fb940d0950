"""Races of bit-exact and exact products beside models of the chips and BLAS.

The input of a race is A, flat: a thread takes some of its rows. Slow entries take
fewer rows.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from run import Entry, Race

import refnum as rn

SIZE = 512  # of the chips' products; 1024 of the exact one
HOPPER = "sm90.wgmma.e4m3.e4m3.f32"
BLACKWELL = "sm100.tcgen05.mxf4nvf4.ue4m3.f32"
NAIVE_ROWS = 2


def gemm(_: int) -> Iterator[Race]:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((SIZE, SIZE), dtype=np.float32) for _ in range(2))
    a, b = rn.encode(x, rn.E4M3), rn.encode(y, rn.E4M3)
    entries = {
        "refnum": Entry(rows(lambda part: rn.gemm(part, b, HOPPER))),
        "float32": Entry(rows(lambda part: rn.decode(part, rn.E4M3) @ y)),
        "naive loop": Entry(rows(partial(naive, b=b)), share=NAIVE_ROWS / SIZE),
        **mmasim(b),
        **mmaemu(b),
    }
    yield Race("Hopper FP8, 512", a.reshape(-1), entries, weight=SIZE)
    slow = rows(lambda part: rn.gemm(part, b, HOPPER, promote_every=128))
    yield Race("promoted, 512", a.reshape(-1), {"refnum": Entry(slow)}, weight=SIZE)
    q = rn.quantize(y, rn.NVFP4, axis=0)
    fp4 = rows(lambda part: rn.gemm(rn.quantize(part, rn.NVFP4), q, BLACKWELL))
    name = "NVFP4 with quantising A"
    yield Race(name, x.reshape(-1), {"refnum": Entry(fp4)}, weight=SIZE)


def matmul(_: int) -> Iterator[Race]:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((1024, 1024), dtype=np.float32) for _ in range(2))
    entries = {
        "refnum": Entry(rows(lambda part: rn.matmul(part, y), 1024)),
        "float32": Entry(rows(lambda part: part @ y, 1024)),
    }
    yield Race("EXACT, 1024", x.reshape(-1), entries, weight=1024)


def rows(
    work: Callable[[np.ndarray], object], depth: int = SIZE
) -> Callable[[np.ndarray], object]:
    """Return the work on whole rows of A."""
    return lambda part: work(part.reshape(-1, depth))


def naive(part: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply by the readable model, one output after the other."""
    out = np.empty((len(part), b.shape[1]), np.float32)
    zero = np.zeros((1, 1), np.float32)
    for i, j in np.ndindex(out.shape):
        out[i, j] = rn.mma(part[i : i + 1], b[:, j : j + 1], zero, HOPPER)[0, 0]
    return out


def mmasim(b: np.ndarray) -> dict[str, Entry]:
    if find_spec("mmasim") is None:
        return {}
    import torch
    from mmasim.nv_ptx import WGMMA

    torch.set_num_threads(1)
    model = WGMMA("Hopper", "m64n8k32.f32.e4m3.e4m3")
    right = torch.from_numpy(b).view(torch.float8_e4m3fn)

    def work(part: np.ndarray) -> object:
        left = torch.from_numpy(part).view(torch.float8_e4m3fn)
        for m, n in itertools.product(range(0, len(left), 64), range(0, SIZE, 8)):
            d = torch.zeros(64, 8)
            for k in range(0, SIZE, 32):
                d = model(left[m : m + 64, k : k + 32], right[k : k + 32, n : n + 8], d)
        return d

    return {"mmasim": Entry(rows(work), share=128 / SIZE)}  # a tile for each thread


def mmaemu(b: np.ndarray) -> dict[str, Entry]:
    if find_spec("mmaemu") is None:
        return {}
    import torch
    from mmaemu import scaled_mm

    right = torch.from_numpy(np.ascontiguousarray(b.T)).view(torch.float8_e4m3fn)
    one = torch.tensor(1.0)

    def work(part: np.ndarray) -> object:
        left = torch.from_numpy(part).view(torch.float8_e4m3fn)
        kind = torch.float32
        options = {"out_dtype": kind, "use_fast_accum": True, "splitk": 1}
        return scaled_mm(left, right.t(), one, one, **options)

    return {"mmaemu": Entry(rows(work))}
