"""Every float32: the H100's digests, and tables against arithmetic. Takes minutes."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import refnum as rn
from refnum import Cast, Rounding, casts
from refnum.formats.arithmetic import encode_float64

pytestmark = pytest.mark.exhaustive

DIGESTS = Path(__file__).parents[2] / "golden/hardware/h100/cvt_f32_digests.json"
BLOCK = 1 << 24
THREADS = 2
CHUNK = 1 << 15  # of arithmetic, whose intermediates then stay in the cache


def of_ue8m0(rounding, *, saturating):
    return rn.UE8M0, replace(
        casts.CUDA if saturating else casts.CUDA_NOSAT, rounding=rounding
    )


UP, ZERO = Rounding.TOWARD_POSITIVE, Rounding.TOWARD_ZERO
CONVERSIONS = {
    "e4m3": (rn.E4M3, casts.CUDA),
    "e5m2": (rn.E5M2, casts.CUDA),
    "e4m3_nosat": (rn.E4M3, casts.CUDA_NOSAT),
    "e5m2_nosat": (rn.E5M2, casts.CUDA_NOSAT),
    "e2m3": (rn.E2M3, casts.CUDA),
    "e3m2": (rn.E3M2, casts.CUDA),
    "e2m1": (rn.E2M1, casts.CUDA),
    "e8m0_rz": of_ue8m0(ZERO, saturating=True),
    "e8m0_rp": of_ue8m0(UP, saturating=True),
    "e8m0_rz_nosat": of_ue8m0(ZERO, saturating=False),
    "e8m0_rp_nosat": of_ue8m0(UP, saturating=False),
}


def float32_block(number):
    """Return the float32 of 2**24 consecutive bit patterns."""
    start = number * BLOCK
    return np.arange(start, start + BLOCK, dtype=np.uint32).view(np.float32)


def in_threads(work, items):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, items))


def test_every_captured_block_of_the_h100():
    captured = json.loads(DIGESTS.read_text(encoding="utf-8"))
    assert captured["sha256"].keys() == CONVERSIONS.keys()
    blocks = {int(b) for digests in captured["sha256"].values() for b in digests}
    assert len(blocks) * BLOCK == 1 << 31

    def differing(block):
        x, wrong = float32_block(block), []
        for name, (fmt, cast) in CONVERSIONS.items():
            digest = hashlib.sha256(rn.encode(x, fmt, cast)).hexdigest()
            if digest != captured["sha256"][name][str(block)]:
                wrong.append((name, block))
        return wrong

    assert [w for found in in_threads(differing, sorted(blocks)) for w in found] == []


def test_tables_agree_with_arithmetic_on_every_float32():
    fmt, cast = rn.E4M3, Cast().resolve(rn.E4M3)

    def wrong(block):
        x, count = float32_block(block), 0
        for start in range(0, BLOCK, CHUNK):
            part = x[start : start + CHUNK]
            with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
                want = encode_float64(part.astype(np.float64), fmt, cast)
            count += np.count_nonzero(rn.encode(part, fmt, cast) != want)
        return count

    assert sum(in_threads(wrong, range(1 << 8))) == 0
