"""Reads refnum's golden files without refnum: Python 3.8 or later, nothing else.

    from read_golden import cases
    for (x, code), reason in cases("e4m3.nearest_even.finite.hex"):
        assert my_encoder(x) == code, reason

Fields are unsigned integers, in the order of the header's columns; the last is the
output. Run as a program, it prints the header and the number of cases.
"""

import sys


def header(path):
    """Return the header's words as a dict: {"op": "encode", "count": "1111", ...}."""
    with open(path, encoding="utf-8") as file:
        first = file.readline()
    if not first.startswith("// refnum golden 1 "):
        raise ValueError(f"{path}: not a golden file of version 1")
    return dict(word.split("=", 1) for word in first.split() if "=" in word)


def cases(path):
    """Return [(fields, reason), ...], and raise ValueError if the file is damaged."""
    facts = header(path)
    digits = [-(-int(c.split(":")[1]) // 4) for c in facts["columns"].split(",")]
    found = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words, _, reason = line.partition("//")
            if not words.strip():
                continue
            fields = words.strip().split("_")
            if [len(field) for field in fields] != digits:
                raise ValueError(f"{path}:{number}: {line.strip()!r} is no case")
            found.append((tuple(int(field, 16) for field in fields), reason.strip()))
    if len(found) != int(facts["count"]):
        raise ValueError(f"{path}: {len(found)} cases, not {facts['count']}")
    return found


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(name, header(name), len(cases(name)), "cases")
