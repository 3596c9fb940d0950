"""Other machines, as far as this one can be them: a program in each, and what it prints.

NumPy is told to leave out instructions, OpenBLAS to take another processor's kernels
and another number of threads.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _from_avx2_up() -> str:
    """The features that NumPy can leave out, by the names of its version."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    older = "SSE", "POPCNT", "AVX1"
    return " ".join(name for name in __cpu_dispatch__ if not name.startswith(older))


MACHINES = {
    "as it is": {},
    "without AVX2 and FMA": {"NPY_DISABLE_CPU_FEATURES": _from_avx2_up()},
    **{
        f"{core}, {threads}": {
            "OPENBLAS_CORETYPE": core,
            "OPENBLAS_NUM_THREADS": threads,
        }
        for core in ("Haswell", "Nehalem", "SandyBridge")
        for threads in ("1", "2")
    },
}
SOME = "as it is", "without AVX2 and FMA", "Haswell, 2", "Nehalem, 1", "SandyBridge, 2"
"""One of each kind, where a program takes long."""


def printed_on(machine: str, program: str) -> str:
    """What a fresh interpreter prints there."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        env={**os.environ, **MACHINES[machine]},
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    ).stdout.strip()
