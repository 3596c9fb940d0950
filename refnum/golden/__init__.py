"""Golden files: frozen cases that say why they exist, and the comparison with them."""

from refnum.golden.bundle import Bundle, Tensor, read_bundle, render_bundle
from refnum.golden.diagnosis import Diagnosis, Finding, diagnose
from refnum.golden.hexfile import parse, read, render
from refnum.golden.inputs import number
from refnum.golden.place import find
from refnum.golden.record import Case, Column, Disagreement, GoldenFile
from refnum.golden.store import Mismatch, check, write
from refnum.golden.suite import SUITE_VERSION, Entry, Options, entries
from refnum.golden.verify import Difference, Report, compare, verify
from refnum.golden.verify_folder import FolderReport, compare_folder, verify_folder

__all__ = [
    "SUITE_VERSION",
    "Bundle",
    "Case",
    "Column",
    "Diagnosis",
    "Difference",
    "Disagreement",
    "Entry",
    "Finding",
    "FolderReport",
    "GoldenFile",
    "Mismatch",
    "Options",
    "Report",
    "Tensor",
    "check",
    "compare",
    "compare_folder",
    "diagnose",
    "entries",
    "find",
    "number",
    "parse",
    "read",
    "read_bundle",
    "render",
    "render_bundle",
    "verify",
    "verify_folder",
    "write",
]
