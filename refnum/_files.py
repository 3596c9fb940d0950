"""Files that are whole: the old one or the new one, never half of either."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file beside the one that is there, and give it the name at the end.

    Parameters
    ----------
    path : Path
        Its place, in a folder that exists.
    data : bytes
        Its content.
    durable : bool
        Whether it is stored before it gets the name, so that a failing power leaves a
        whole file, too. That takes milliseconds; what can be made again does without.

    Raises
    ------
    OSError
        If it cannot be written; it names `path`, and what was there is still there.
    """
    # Always the same name: what a killed process left is written over.
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        # The name that the user gave, not that of the partial file.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)
    if durable:
        _store_names(path.parent)


def _store_names(folder: Path) -> None:
    """Have the new name stored, where the system can do that for a folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
