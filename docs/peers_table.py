"""Write the table of peers.md: what installed libraries compute, measured now.

Usage: python docs/peers_table.py

Every library that is installed converts the same float32 inputs: all upper half-words,
each with seven lower ones that put a value on, beside and between the midpoints of
narrow formats. Counted are the inputs whose code is another one than the definition's
(to nearest even, saturating), and than that of the cast that refnum names after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

import refnum as rn
from refnum.interop import to_ml_dtypes, type_names

PAGE = Path(__file__).with_name("peers.md")
BEGIN, END = "<!-- peers -->\n", "<!-- /peers -->"
LOWER = (0, 1, 0x7FFF, 0x8000, 0x8001, 0xC000, 0xFFFF)
FORMATS = rn.E4M3, rn.E5M2, rn.E3M2, rn.E2M3, rn.E2M1, rn.UE8M0

Codes = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class Peer:
    """A library: how it converts, which cast of refnum's has its name."""

    library: str
    formats: tuple[rn.Format, ...]
    convert: Callable[[npt.NDArray[np.float32], rn.Format], Codes]
    cast: rn.Cast
    name: str


def inputs() -> npt.NDArray[np.float32]:
    """Return 458,752 float32."""
    upper = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
    return (upper[:, None] | np.array(LOWER, np.uint32)).reshape(-1).view(np.float32)


def with_ml_dtypes(x: npt.NDArray[np.float32], fmt: rn.Format) -> Codes:
    dtype = to_ml_dtypes(np.zeros(1, np.uint8), fmt).dtype
    with np.errstate(all="ignore"):
        return x.astype(dtype).view(np.uint8)


def with_torch(x: npt.NDArray[np.float32], fmt: rn.Format) -> Codes:
    import torch

    dtype = getattr(torch, str(type_names(fmt).torch))
    return torch.from_numpy(x).to(dtype).view(torch.uint8).numpy()


PEERS = (
    Peer("ml_dtypes", FORMATS, with_ml_dtypes, rn.casts.ML_DTYPES, "ML_DTYPES"),
    Peer("torch", (rn.E4M3, rn.E5M2, rn.UE8M0), with_torch, rn.casts.TORCH, "TORCH"),
)


def render(text: str) -> str:
    """Return the page with the rows of installed libraries as they are now."""
    head, _, rest = text.partition(BEGIN)
    table, _, tail = rest.partition(END)
    kept = dict(rows_of(table))
    kept |= {key: row for peer in installed() for key, row in measure(peer)}
    rows = "".join(row for _, row in sorted(kept.items()))
    title = "| library | format | differs from the definition | of these, NaN or infinite or beyond max | differs from its cast |\n|---|---|---|---|---|\n"
    return f"{head}{BEGIN}\n{title}{rows}\n{END}{tail}"


def rows_of(table: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the rows of a table by library and format."""
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0] not in ("library", "---"):
            yield (cells[0], cells[1]), line + "\n"


def installed() -> list[Peer]:
    """Return the peers that can be measured here."""
    return [peer for peer in PEERS if find_spec(peer.library)]


def measure(peer: Peer) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield a row for each format of a library."""
    x = inputs()
    for fmt in peer.formats:
        found = peer.convert(x, fmt)
        right = rn.encode(x, fmt, rn.Cast(saturation=rn.Saturation.FINITE))
        named = rn.encode(x, fmt, peer.cast)
        different = found != right
        outside = ~(np.abs(x) <= fmt.max)
        counts = (different.sum(), (different & outside).sum(), (found != named).sum())
        cells = " | ".join(f"{count:,}" for count in counts)
        key = f"`{peer.library}`", fmt.name.upper()
        yield key, f"| {key[0]} | {key[1]} | {cells} |\n"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
