"""Arrays and a text in a ``.safetensors`` file, through the library of that name.

The text stands in the metadata under ``refnum``. Codes of all widths are ``U8``, so
that every reader of the form knows the types.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["parse", "render"]

_KEY = "refnum"
_LENGTH = 8  # bytes before the header, which say how long it is
_TYPES = ("uint8", "uint16", "uint32", "float32")

_Array = npt.NDArray[Any]


def render(arrays: dict[str, _Array], text: str) -> bytes:
    """Return the bytes of a file."""
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        whole[name] = whole[name].reshape(array.shape)  # 0-d ones became 1-d
    return bytes(save(whole, {_KEY: text}))


def parse(data: bytes) -> tuple[dict[str, _Array], str]:
    """Return the arrays and the text of a file.

    Raises
    ------
    ValueError
        If it is damaged, or holds anything else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a whole .safetensors file: {error}") from None
    for name, array in arrays.items():
        if array.dtype.name not in _TYPES:
            raise ValueError(f"{name} has the type {array.dtype}")
    return arrays, _text(data)


def _text(data: bytes) -> str:
    """Return the text among the metadata of a header that the library accepted."""
    length = int.from_bytes(data[:_LENGTH], "little")
    header = json.loads(data[_LENGTH : _LENGTH + length])
    text = header.get("__metadata__", {}).get(_KEY)
    if text is None:
        raise ValueError(f"no {_KEY} among the metadata: not a file of refnum's")
    return str(text)
