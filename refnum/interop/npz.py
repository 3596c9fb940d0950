"""Arrays and a text in a ``.npz`` file: NumPy's form, read without trusting it.

`numpy.load` would do for files of one's own. A stranger's may hold pickled objects, a
header of gigabytes, or little bytes that unzip to many. So only stored members are
read, of plain types, whose headers fit their lengths.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["parse", "render"]

_TEXT = "refnum"
_SUFFIX = ".npy"
_TYPES = ("|u1", "<u2", "<u4", "<f4")
_MEMBERS = 8
_AXES = 32
_FIXED = 10  # magic, version and the header's length
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)\{'descr': '(?P<type>\|u1|<u2|<u4|<f4)', "
    rb"'fortran_order': False, 'shape': \((?P<shape>[0-9, ]{0,400})\), \} {0,63}\n",
    re.DOTALL,
)
_DATE = (1980, 1, 1, 0, 0, 0)  # so that equal content gives equal files

_Array = npt.NDArray[Any]


def render(arrays: dict[str, _Array], text: str) -> bytes:
    """Return the bytes of a file that `numpy.load` reads too; the text as uint8."""
    members = {_TEXT: np.frombuffer(text.encode(), np.uint8), **arrays}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as file:
        for name, array in members.items():
            little = array.astype(array.dtype.newbyteorder("<"), order="C")
            member = io.BytesIO()
            np.lib.format.write_array(member, little, (1, 0), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(name + _SUFFIX, _DATE), member.getvalue())
    return data.getvalue()


def parse(data: bytes) -> tuple[dict[str, _Array], str]:
    """Return the arrays and the text of a file.

    Raises
    ------
    ValueError
        If it is damaged, or holds anything else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            arrays = _members(file, len(data))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise ValueError(f"not a whole .npz file: {error}") from None
    text = arrays.pop(_TEXT, None)
    if text is None or text.dtype != np.uint8 or text.ndim != 1:
        raise ValueError(f"no {_TEXT} member: not a file of refnum's")
    try:
        return arrays, text.tobytes().decode()
    except UnicodeDecodeError:
        raise ValueError(f"the {_TEXT} member is no text") from None


def _members(file: zipfile.ZipFile, size: int) -> dict[str, _Array]:
    members = file.infolist()
    if len(members) > _MEMBERS:
        raise ValueError(f"{len(members)} members; at most {_MEMBERS} belong")
    arrays: dict[str, _Array] = {}
    for member in members:
        name = member.filename.removesuffix(_SUFFIX)
        if not name.isidentifier() or name in arrays:
            raise ValueError(f"{member.filename!r} is no member of such a file")
        stored = member.compress_type == zipfile.ZIP_STORED
        if not stored or member.file_size != member.compress_size:
            raise ValueError(f"{name} is compressed; members must be stored")
        if member.file_size > size:
            raise ValueError(f"{name} has {member.file_size} bytes, the file {size}")
        arrays[name] = _array(file.read(member), name)
    return arrays


def _array(data: bytes, name: str) -> _Array:
    """Return the array of a member, whose header must be just as NumPy writes it."""
    header = _HEADER.match(data)
    if header is None:
        raise ValueError(
            f"{name} has no header of a C-ordered array of {', '.join(_TYPES)}"
        )
    dtype = np.dtype(header["type"].decode())
    shape = tuple(int(n) for n in header["shape"].split(b",") if n.strip())
    rest = len(data) - header.end()
    if len(shape) > _AXES or math.prod(shape) * dtype.itemsize != rest:
        raise ValueError(f"{name} has {rest} bytes, not those of shape {shape}")
    if int.from_bytes(header["length"], "little") != header.end() - _FIXED:
        raise ValueError(f"{name} has a header of another length")
    flat = np.frombuffer(data, dtype, offset=header.end())
    return flat.reshape(shape).astype(dtype.newbyteorder("="))
