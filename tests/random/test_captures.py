"""Words and uniform numbers against what an H100 computed: equal in every bit.

`philox.npz`: Triton 3.6 and PyTorch 2.11. `curand.npz`: cuRAND's device functions in
CUDA 13.0, 32 numbers of one generator by `curand`, `curand_uniform` and `curand4`; keys
are FUNCTION.SEED.SUBSEQUENCE.OFFSET.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from refnum.random import (
    curand_uniform,
    curand_words,
    torch_cuda_increment,
    torch_cuda_words,
    torch_uniform,
    triton_randint4x,
    triton_uniform,
)

CAPTURES = Path(__file__).resolve().parents[2] / "golden" / "hardware" / "h100"


def load(name):
    with np.load(CAPTURES / name) as archive:
        return dict(archive)


PHILOX = load("philox.npz")
CURAND = load("curand.npz")

# SHA-256 of successive torch.rand(size, device="cuda") after manual_seed(2**63 + 12345)
# on the H100 SXM. Beyond 270336 elements threads draw more than once.
TORCH_SEED = 2**63 + 12345
TORCH_DIGESTS = {
    1: "6ab3a99b0cdf380a53d3ca0e29800e5485363abf1554a5affb109a54744d644f",
    257: "0d24bca97dfb3f4d9107c2792cc926c30a1371715eee70b1824dd69ae0d5ec50",
    4096: "f2c00be985ee827f6561ce3de881d83d14630e0117ba4ca48be35f880c7d0a17",
    270336: "65bda3b7187add6ab6e291072420afc0e503682b77a64495fac5b417fec67f3c",
    270337: "8e799e90d52c3f466bb7457be0d662490c3931c3ada7c0013ffd3c21db2efdc4",
    2**20 + 3: "6179244721c50372f7491c9dfabd50de97484a19d948f1abb76bba3b7e197c22",
}


def replay(function, arguments):
    if function == "torch.rand":
        return torch_uniform(torch_cuda_words(*arguments, 4096))
    if function in ("randint4x", "rand"):
        seed, offset = arguments
        words = triton_randint4x(seed, offset + np.arange(1024))
        if function == "rand":
            return triton_uniform(words[:, 0])
        return words.T.view(np.int32)
    words = curand_words(*arguments, count=32)
    if function == "curand_uniform":
        return curand_uniform(words)
    return words.reshape(-1, 4) if function == "curand4" else words


@pytest.mark.parametrize(
    ("name", "captured"), [pytest.param(*c, id=c[0]) for c in (PHILOX | CURAND).items()]
)
def test_replays_capture(name, captured):
    arguments = [part for part in name.split(".") if part.isdigit()]
    function = name.removesuffix("." + ".".join(arguments))
    replayed = replay(function, [int(argument) for argument in arguments])
    assert replayed.dtype == captured.dtype
    np.testing.assert_array_equal(replayed, captured, strict=True)


def test_replays_successive_torch_tensors():
    offset = 0
    for size, digest in TORCH_DIGESTS.items():
        values = torch_uniform(torch_cuda_words(TORCH_SEED, size, offset))
        data = values.astype("<f4").tobytes()
        assert hashlib.sha256(data).hexdigest() == digest, size
        offset += torch_cuda_increment(size)
    assert offset == 24  # as the generator itself reported
