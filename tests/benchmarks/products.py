"""Races of bit-exact and exact products beside models of the chips and BLAS.

The input of a race is A, flat: a thread takes some of its rows. Slow entries take
fewer rows.
"""

import itertools
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from races import Entry, Race, Work

SIZE = 512  # of the chips' products
LARGE = 1024  # of the exact one
HOPPER = "sm90.wgmma.e4m3.e4m3.f32"
BLACKWELL = "sm100.tcgen05.mxf4nvf4.ue4m3.f32"
NAIVE_ROWS = 2


def gemm(_: int) -> Iterator[Race]:
    entries = {
        "refnum": Entry(hopper),
        "float32": Entry(decoded),
        "naive loop": Entry(naive, NAIVE_ROWS / SIZE),
    }
    if find_spec("mmasim"):
        entries["mmasim"] = Entry(mmasim, 128 / SIZE)  # a tile for each thread
    if find_spec("mmaemu"):
        entries["mmaemu"] = Entry(mmaemu)
    yield Race("Hopper FP8, 512", codes, entries, weight=SIZE)
    slow = {"refnum": Entry(partial(hopper, promote_every=128))}
    yield Race("promoted, 512", codes, slow, weight=SIZE)
    fp4 = {"refnum": Entry(blackwell)}
    yield Race("NVFP4 with quantising A", left, fp4, weight=SIZE)


def matmul(_: int) -> Iterator[Race]:
    entries = {"refnum": Entry(exact), "float32": Entry(blas)}
    yield Race("EXACT, 1024", partial(left, LARGE), entries, weight=LARGE)


def factors(size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    return x, y


def left(size: int = SIZE) -> np.ndarray:
    return factors(size)[0].reshape(-1)


def codes() -> np.ndarray:
    import refnum as rn

    return rn.encode(left(), rn.E4M3)


def rows(work: Work, depth: int = SIZE) -> Work:
    """Return the work on whole rows of A."""
    return lambda part: work(part.reshape(-1, depth))


def hopper(**options: object) -> Work:
    import refnum as rn

    b = rn.encode(factors()[1], rn.E4M3)
    return rows(lambda part: rn.gemm(part, b, HOPPER, **options))


def decoded() -> Work:
    import refnum as rn

    y = factors()[1]
    return rows(lambda part: rn.decode(part, rn.E4M3) @ y)


def blackwell() -> Work:
    import refnum as rn

    b = rn.quantize(factors()[1], rn.NVFP4, axis=0)
    return rows(lambda part: rn.gemm(rn.quantize(part, rn.NVFP4), b, BLACKWELL))


def exact() -> Work:
    import refnum as rn

    y = factors(LARGE)[1]
    return rows(lambda part: rn.matmul(part, y), LARGE)


def blas() -> Work:
    y = factors(LARGE)[1]
    return rows(lambda part: part @ y, LARGE)


def naive() -> Work:
    """Multiply by the readable model, one output after the other."""
    import refnum as rn

    b = rn.encode(factors()[1], rn.E4M3)
    zero = np.zeros((1, 1), np.float32)

    def work(part: np.ndarray) -> np.ndarray:
        out = np.empty((len(part), SIZE), np.float32)
        for i, j in np.ndindex(out.shape):
            out[i, j] = rn.mma(part[i : i + 1], b[:, j : j + 1], zero, HOPPER)[0, 0]
        return out

    return rows(work)


def mmasim() -> Work:
    import torch
    from mmasim.nv_ptx import WGMMA

    torch.set_num_threads(1)
    model = WGMMA("Hopper", "m64n8k32.f32.e4m3.e4m3")
    right = torch.from_numpy(factors()[1]).to(torch.float8_e4m3fn)

    def work(part: np.ndarray) -> object:
        left = torch.from_numpy(part).view(torch.float8_e4m3fn)
        for m, n in itertools.product(range(0, len(left), 64), range(0, SIZE, 8)):
            d = torch.zeros(64, 8)
            for k in range(0, SIZE, 32):
                d = model(left[m : m + 64, k : k + 32], right[k : k + 32, n : n + 8], d)
        return d

    return rows(work)


def mmaemu() -> Work:
    import torch
    from mmaemu import scaled_mm

    torch.set_num_threads(1)
    right = torch.from_numpy(factors()[1]).t().contiguous().to(torch.float8_e4m3fn)
    one = torch.tensor(1.0)

    def work(part: np.ndarray) -> object:
        left = torch.from_numpy(part).view(torch.float8_e4m3fn)
        kind = torch.float32
        options = {"out_dtype": kind, "use_fast_accum": True, "splitk": 1}
        return scaled_mm(left, right.t(), one, one, **options)

    return rows(work)
