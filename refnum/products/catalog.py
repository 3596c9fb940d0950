"""The table of matrix instructions, and the look-up by name."""

from __future__ import annotations

import difflib

from refnum.products.instruction import MatrixInstruction
from refnum.products.nvidia import nvidia_rows
from refnum.products.others import amd_rows, processor_rows

__all__ = ["INSTRUCTIONS", "instruction"]

_ARCHES = {
    "volta": "sm70",
    "turing": "sm75",
    "ampere": "sm80",
    "ada": "sm89",
    "hopper": "sm90",
    "blackwell": "sm100",
    "cdna1": "gfx908",
    "cdna2": "gfx90a",
    "cdna3": "gfx942",
}
# AMD's names and the longer ones; on AMD's chips FP8 is always of the FNUZ kind.
_TYPES = {
    "fp8": "e4m3fnuz",
    "bf8": "e5m2fnuz",
    "xf32": "tf32",
    "fp32": "f32",
    "fp16": "f16",
}

INSTRUCTIONS: dict[str, MatrixInstruction] = {
    row.name: row
    for rows in (nvidia_rows(), amd_rows(), processor_rows())
    for row in rows
}


def instruction(name: str | MatrixInstruction) -> MatrixInstruction:
    """Return the matrix instruction of that name.

    Parameters
    ----------
    name : str or MatrixInstruction
        ``arch.op.a.b.d`` as in `INSTRUCTIONS`; case does not matter, and product names
        (``hopper``, ``cdna3``) and AMD's type names stand for the table's. A record is
        returned as is.

    Raises
    ------
    ValueError
        If no instruction has the name; the message lists near ones.
    TypeError
        If `name` is neither a string nor a `MatrixInstruction`.

    Examples
    --------
    >>> instruction("sm80.mma.bf16.bf16.f32").alignment_bits
    24
    >>> instruction("cdna3.mfma.fp8.bf8.f32").name
    'gfx942.mfma.e4m3fnuz.e5m2fnuz.f32'
    """
    if isinstance(name, MatrixInstruction):
        return name
    if not isinstance(name, str):
        raise TypeError(f"an instruction is named by a string, not {name!r}")
    arch, *parts = name.lower().split(".")
    key = ".".join([_ARCHES.get(arch, arch), *(_TYPES.get(p, p) for p in parts)])
    if key in INSTRUCTIONS:
        return INSTRUCTIONS[key]
    near = difflib.get_close_matches(key, INSTRUCTIONS, n=4, cutoff=0.5)
    raise ValueError(
        f"unknown instruction {name!r}; near names: {', '.join(near)}"
        if near
        else f"unknown instruction {name!r}; names are arch.op.a.b.d, for instance "
        "sm90.wgmma.e4m3.e4m3.f32"
    )
