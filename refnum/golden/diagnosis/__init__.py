"""Which named variant explains that a kernel differs from a golden file."""

from refnum.golden.diagnosis.diagnose import diagnose
from refnum.golden.diagnosis.maps import Map
from refnum.golden.diagnosis.reading import from_arrays, read_outputs
from refnum.golden.diagnosis.report import Diagnosis, Finding, Remaining

__all__ = [
    "Diagnosis",
    "Finding",
    "Map",
    "Remaining",
    "diagnose",
    "from_arrays",
    "read_outputs",
]
