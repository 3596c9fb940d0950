"""The rooms of refnum stand on floors: a file imports from lower floors alone.

A *room* is a package or a module directly under `refnum/`. An import counts wherever
it stands, also in a function or under `TYPE_CHECKING`: what a file names, it knows.
"""

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FRONT_DOOR = "refnum"
FLOORS = {
    "_buffers": 0,
    "_files": 0,
    "_records": 0,
    "_version": 0,
    "formats": 1,
    "random": 1,
    "elementary": 1,
    "blocks": 2,
    "metrics": 2,
    "products": 3,
    "autograd": 4,
    "recipes": 4,
    "nn": 5,
    "training": 6,
    "studies": 7,
    "golden": 7,
    "testing": 7,
    "cli": 8,
    "interop": 8,
    # Above all rooms: they import, nothing imports them.
    FRONT_DOOR: 9,
    "__main__": 9,
}
# (importer, imported): the rooms of one floor that may know each other.
NEIGHBOURS: frozenset[tuple[str, str]] = frozenset({("testing", "golden")})

IMPORT_SECONDS = 0.15


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / "refnum").rglob("*.py"))}


def room_of(module: str) -> str:
    """`refnum.blocks.rules` is in `blocks`; `refnum` itself is the front door."""
    return [*module.split("."), FRONT_DOOR][1]


def absolute_base(node: ast.ImportFrom, importer: str) -> str:
    """The module after `from`, with the dots of a relative import resolved."""
    if node.level == 0:
        return node.module or ""
    package = importer.split(".")
    climbs = node.level - (MODULES[importer].name == "__init__.py")
    package = package[: len(package) - climbs]
    return ".".join([*package, node.module] if node.module else package)


def imported_modules(importer: str) -> Iterator[str]:
    """The modules of refnum that the file of `importer` names in its imports."""
    tree = ast.parse(MODULES[importer].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute_base(node, importer)
            below = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else base for name in below]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "refnum")


def may_import(importer: str, imported: str) -> bool:
    return (
        importer == imported
        or FLOORS[imported] < FLOORS[importer]
        or (importer, imported) in NEIGHBOURS
    )


def test_every_room_has_a_floor():
    assert {room_of(module) for module in MODULES} <= FLOORS.keys()


def test_neighbours_share_a_floor():
    assert all(FLOORS[one] == FLOORS[other] for one, other in NEIGHBOURS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_come_from_lower_floors(module):
    room = room_of(module)
    rooms = {room_of(imported) for imported in imported_modules(module)}
    assert [other for other in sorted(rooms) if not may_import(room, other)] == []


def test_no_cycle_of_imports():
    graph = {module: set(imported_modules(module)) for module in MODULES}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the cycle


def run_python(program: str) -> str:
    """What a fresh interpreter prints, with this checkout first on its path."""
    # Without byte code on disk, the time would be the compiler's.
    environment = {
        k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def test_import_needs_numpy_alone():
    # What the interpreter and NumPy themselves bring along is not refnum's.
    printed = run_python(
        "import sys, numpy.fft, numpy.linalg, numpy.random\n"
        "before = set(sys.modules)\n"
        "import refnum\n"
        "print(*(name for name in sys.modules if name not in before))\n"
    )
    packages = {name.split(".")[0] for name in printed.split()}
    assert packages - sys.stdlib_module_names - {"numpy"} == {"refnum"}


def test_import_is_quick():
    program = (
        "import time, numpy\n"
        "start = time.process_time()\n"
        "import refnum\n"
        "print(time.process_time() - start)\n"
    )
    # The processor's time, and the least of several runs: other load adds to it.
    assert min(float(run_python(program)) for _ in range(5)) < IMPORT_SECONDS


def test_rooms_come_when_asked_for():
    printed = run_python(
        "import sys, refnum\n"
        "print('refnum.nn' in sys.modules)\n"
        "for name in refnum.__all__:\n"
        "    getattr(refnum, name)\n"
        "print('refnum.nn' in sys.modules, refnum.Recipe is refnum.recipes.Recipe)\n"
    )
    assert printed.split() == ["False", "True", "True"]
