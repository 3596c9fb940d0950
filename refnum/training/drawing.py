"""Samples to look at: grey pictures as PNG, curves as SVG, both also as text."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from refnum._files import write_atomically
from refnum.training.tasks.task import Samples

__all__ = ["curves_svg", "grid", "png", "save_samples", "text_picture"]

_Grey = npt.NDArray[np.uint8]
_Curves = dict[str, npt.NDArray[np.float32]]
_SHADES = " .:-=+*#%@"
_COLOURS = ("#999999", "#000000", "#d62728", "#1f77b4")
_LARGER, _GAP = 6, 2


def save_samples(folder: Path, samples: Samples) -> list[Path]:
    """Write samples into a folder.

    Parameters
    ----------
    folder : Path
        Of the run.
    samples : Samples
        What the model made.

    Returns
    -------
    list of Path
        The files: ``samples.png``, ``samples.svg``, ``samples.txt``, those there are.
    """
    files: dict[str, bytes] = {}
    if samples.images is not None:
        files["samples.png"] = png(grid(samples.images, _LARGER))
    if samples.curves is not None:
        files["samples.svg"] = curves_svg(samples.curves).encode()
    if samples.text:
        files["samples.txt"] = (samples.text.rstrip("\n") + "\n").encode()
    for name, data in files.items():
        write_atomically(folder / name, data)
    return [folder / name for name in files]


def grid(images: _Grey, larger: int = 1) -> _Grey:
    """Return pictures side by side, in about as many rows as columns.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
        At least one picture.
    larger : int
        Pixels of the result for one of a picture.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        One picture, with grey lines between those in it.
    """
    count, height, width = images.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    gap = _GAP if larger > 1 else 1
    high, wide = height * larger + gap, width * larger + gap
    whole = np.full((rows * high + gap, columns * wide + gap), 96, np.uint8)
    for k, image in enumerate(images):
        top, left = k // columns * high + gap, k % columns * wide + gap
        big = np.repeat(np.repeat(image, larger, axis=0), larger, axis=1)
        whole[top : top + len(big), left : left + big.shape[1]] = big
    return whole


def png(image: _Grey) -> bytes:
    """Return a grey picture as a PNG file.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W)
        0 is black.

    Returns
    -------
    bytes
        The file.

    References
    ----------
    W3C, "Portable Network Graphics (PNG) Specification", third edition.
    """
    height, width = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in chunks)


def text_picture(image: _Grey) -> str:
    """Return a grey picture as lines of characters, two for each pixel.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W)
        0 is black, and is left blank.

    Returns
    -------
    str
        H lines.
    """
    shades = image.astype(np.intp) * len(_SHADES) // 256
    return "\n".join("".join(2 * _SHADES[k] for k in row).rstrip() for row in shades)


def curves_svg(curves: _Curves) -> str:
    """Return functions of one variable as an SVG picture.

    Parameters
    ----------
    curves : dict of str to ndarray, shape (N, L)
        N panels, each with a curve of every name.

    Returns
    -------
    str
        The file; the names stand in the first panel.
    """
    width, height = 260, 180
    count = len(next(iter(curves.values())))
    low = min(float(one.min()) for one in curves.values())
    high = max(float(one.max()) for one in curves.values())
    parts = []
    for panel in range(count):
        left = panel * width
        frame = f'x="{left + 5}" y="5" width="{width - 10}" height="{height - 10}"'
        parts.append(f'<rect {frame} fill="none" stroke="#cccccc"/>')
        for k, (name, values) in enumerate(curves.items()):
            colour = _COLOURS[k % len(_COLOURS)]
            x = left + 10 + (width - 20) * np.arange(values.shape[1]) / values.shape[1]
            share = (values[panel] - low) / ((high - low) or 1)
            y = 10 + (height - 20) * (1 - share)
            points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
            dash = ' stroke-dasharray="4 3"' if k == len(curves) - 1 else ""
            line = f'fill="none" stroke="{colour}" stroke-width="1.5"{dash}'
            parts.append(f'<polyline points="{points}" {line}/>')
            if panel == 0:
                place = f'x="{left + 12}" y="{height - 12 - 13 * k}" font-size="11"'
                label = f'{place} font-family="sans-serif" fill="{colour}"'
                parts.append(f"<text {label}>{name}</text>")
    size = f'width="{count * width}" height="{height}"'
    background = '<rect width="100%" height="100%" fill="white"/>'
    body = "\n".join([background, *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{body}\n</svg>\n'


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return (
        struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
    )
