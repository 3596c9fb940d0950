"""The golden text form: one case a line, hexadecimal fields joined by ``_``.

::

    // refnum golden 1  op=encode in=f32 out=e4m3 ... count=3 columns=x:32,code:8
    43e00000_7e // max 448

The same file loads with Verilog's ``$readmemh``, C's ``sscanf`` and a few lines of
Python. The reader is strict: a file that was cut short must not pass for a short one.
"""

from __future__ import annotations

import re
from pathlib import Path

from refnum.golden.record import Case, Column, GoldenFile

__all__ = ["parse", "read", "render"]

_FORM = 1
_HEADER = re.compile(r"// refnum golden (\d+)  (.*)")
_FACT = re.compile(r"([a-z_]+)=([^\s=]+)")
_COLUMN = re.compile(r"([a-z_][a-z0-9_]*):(\d{1,3})")
_HEX = re.compile(r"[0-9a-fA-F]+")


def render(file: GoldenFile) -> str:
    """Return the text of a golden file.

    Parameters
    ----------
    file : GoldenFile
        What to write.

    Returns
    -------
    str
        A header line, then one line a case.

    Examples
    --------
    >>> from refnum.golden import Case, Column, GoldenFile, render
    >>> columns = Column("x", 32), Column("code", 8)
    >>> cases = (Case((0x43E00000, 0x7E), "max 448"),)
    >>> print(render(GoldenFile({"op": "encode"}, columns, cases)), end="")
    // refnum golden 1  op=encode count=1 columns=x:32,code:8
    43e00000_7e // max 448
    """
    facts = dict(file.facts)
    if file.outputs != 1:
        facts["outputs"] = str(file.outputs)
    facts["count"] = str(len(file.cases))
    facts["columns"] = ",".join(f"{c.name}:{c.bits}" for c in file.columns)
    words = " ".join(f"{key}={value}" for key, value in facts.items())
    lines = [f"// refnum golden {_FORM}  {words}"]
    for case in file.cases:
        fields = zip(case.fields, file.columns, strict=True)
        line = "_".join(f"{value:0{column.digits}x}" for value, column in fields)
        lines.append(f"{line} // {case.reason}" if case.reason else line)
    return "\n".join(lines) + "\n"


def read(path: Path | str) -> GoldenFile:
    """Read a golden file.

    Parameters
    ----------
    path : Path or str
        Its place.

    Returns
    -------
    GoldenFile
        Its facts, columns and cases.

    Raises
    ------
    ValueError
        If it is no golden file, or a damaged one; the message has file and line.
    OSError
        If it cannot be read.
    """
    return parse(Path(path).read_bytes(), str(path))


def parse(data: bytes | str, name: str = "golden file") -> GoldenFile:
    """Return the golden file of a text.

    Parameters
    ----------
    data : bytes or str
        The text.
    name : str
        Stands in error messages.

    Returns
    -------
    GoldenFile
        Its facts, columns and cases.

    Raises
    ------
    ValueError
        If the text is not in the golden form, or not whole.

    Examples
    --------
    >>> from refnum.golden import parse
    >>> parse("// refnum golden 1  op=encode count=1 columns=code:8\\n7e\\n").cases
    (Case(fields=(126,), reason=''),)
    """
    text = _as_text(data, name)
    if not text:
        raise ValueError(f"{name}: the file is empty")
    lines = text.replace("\r\n", "\n").split("\n")
    facts = _header(lines[0], f"{name}:1")
    columns = _columns(facts, f"{name}:1")
    outputs = _number(facts, "outputs", f"{name}:1", default=1)
    count = _number(facts, "count", f"{name}:1")
    if not 1 <= outputs <= len(columns):
        raise ValueError(f"{name}:1: outputs={outputs} of {len(columns)} columns")
    if lines.pop() != "":
        raise ValueError(f"{name}:{len(lines) + 1}: cut short, the line does not end")
    start = 1
    while start < len(lines) and lines[start].startswith("//"):
        start += 1
    cases = tuple(
        _case(line, columns, f"{name}:{number}")
        for number, line in enumerate(lines[start:], start + 1)
    )
    if len(cases) != count:
        raise ValueError(
            f"{name}:{len(lines)}: {len(cases)} cases, but the header says count={count}"
        )
    return GoldenFile(facts, columns, cases, outputs)


def _as_text(data: bytes | str, name: str) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: not a text file (byte {error.start})") from None


def _header(line: str, place: str) -> dict[str, str]:
    match = _HEADER.fullmatch(line)
    if match is None:
        raise ValueError(f"{place}: the header '// refnum golden 1  op=...' is missing")
    version, words = match.groups()
    if int(version) != _FORM:
        raise ValueError(f"{place}: golden form {version}; this reader knows {_FORM}")
    facts: dict[str, str] = {}
    for word in words.split():
        fact = _FACT.fullmatch(word)
        if fact is None:
            raise ValueError(f"{place}: {word!r} is not of the form key=value")
        key, value = fact.groups()
        if key in facts:
            raise ValueError(f"{place}: {key}= stands twice")
        facts[key] = value
    return facts


def _columns(facts: dict[str, str], place: str) -> tuple[Column, ...]:
    if "columns" not in facts:
        raise ValueError(f"{place}: the header lacks columns=")
    columns = []
    for word in facts.pop("columns").split(","):
        match = _COLUMN.fullmatch(word)
        if match is None:
            raise ValueError(f"{place}: column {word!r} is not of the form name:bits")
        try:
            columns.append(Column(match[1], int(match[2])))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    return tuple(columns)


def _number(
    facts: dict[str, str], key: str, place: str, default: int | None = None
) -> int:
    word = facts.pop(key, None)
    if word is None and default is not None:
        return default
    if word is None:
        raise ValueError(f"{place}: the header lacks {key}=")
    if not (word.isascii() and word.isdecimal()):
        raise ValueError(f"{place}: {key}={word} is not a number")
    return int(word)


def _case(line: str, columns: tuple[Column, ...], place: str) -> Case:
    data, _, reason = line.partition("//")
    words = data.strip().split("_")
    if len(words) != len(columns):
        raise ValueError(
            f"{place}: {len(words)} fields, but the header has {len(columns)} columns"
        )
    for word, column in zip(words, columns, strict=True):
        if not _HEX.fullmatch(word):
            raise ValueError(f"{place}: {column.name} {word!r} is not hexadecimal")
        if len(word) != column.digits:
            raise ValueError(
                f"{place}: {column.name} {word!r} has {len(word)} digits, "
                f"not {column.digits}"
            )
    return Case(tuple(int(word, 16) for word in words), reason.strip())
