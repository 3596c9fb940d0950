"""Replayable random bits: Philox, the libraries' ways to count, what words become.

The way of a random number: a library's counter layout gives *words* (`streams`,
`pytorch`), each a pure function of seed, stream and offset (`philox`); words become
uniform numbers (`uniform`), or the bits by which elements are rounded
(`ptx_rs`, `rounding_bits`).
"""

from refnum.random.philox import philox4x32, philox4x32_definition
from refnum.random.ptx_rs import (
    ptx_rs_bf16x2,
    ptx_rs_e2m1x4,
    ptx_rs_e4m3x4,
    ptx_rs_f16x2,
)
from refnum.random.pytorch import (
    at_philox_words,
    torch_cuda_increment,
    torch_cuda_words,
)
from refnum.random.rounding_bits import (
    AMD_SEED_BITS,
    amd_top_of_seed,
    low_bits,
    transformer_engine_bytes,
)
from refnum.random.streams import (
    curand_words,
    transformer_engine_sequence,
    transformer_engine_words,
    triton_randint4x,
)
from refnum.random.uniform import (
    at_philox_uniform,
    curand_uniform,
    torch_uniform,
    triton_uniform,
)

__all__ = [
    "AMD_SEED_BITS",
    "amd_top_of_seed",
    "at_philox_uniform",
    "at_philox_words",
    "curand_uniform",
    "curand_words",
    "low_bits",
    "philox4x32",
    "philox4x32_definition",
    "ptx_rs_bf16x2",
    "ptx_rs_e2m1x4",
    "ptx_rs_e4m3x4",
    "ptx_rs_f16x2",
    "torch_cuda_increment",
    "torch_cuda_words",
    "torch_uniform",
    "transformer_engine_bytes",
    "transformer_engine_sequence",
    "transformer_engine_words",
    "triton_randint4x",
    "triton_uniform",
]
