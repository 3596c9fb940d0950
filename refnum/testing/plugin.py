"""The pytest plugin: a kernel under test over golden cases.

``pytest --refnum-golden DIR`` gives a test that asks for ``golden_case`` each case of
the golden folder in turn. The marker ``refnum_golden`` says which ones::

    @pytest.mark.refnum_golden("encode/e4m3.nearest_even.finite*")
    def test_cast(golden_case):
        golden_case.check(my_cast(golden_case.inputs["x"].view(np.float32)))

Without the option such tests are skipped. The plugin costs other projects nothing: all
but pytest is imported once a test asks for a case.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from refnum.testing.golden_case import GoldenCase

__all__ = ["golden_case", "pytest_addoption", "pytest_configure"]

_OPTION = "--refnum-golden"
_FIXTURE = "golden_case"
_MARKER = "refnum_golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("refnum").addoption(
        _OPTION,
        metavar="DIR",
        help="the folder of golden files that tests with golden_case run over",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker means."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(*patterns): which files below the golden folder golden_case takes",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test for each golden case that its marker asks for."""
    if _FIXTURE not in metafunc.fixturenames:
        return
    folder = metafunc.config.getoption(_OPTION)
    if folder is None:
        reason = f"needs {_OPTION} DIR"
        metafunc.parametrize(
            _FIXTURE,
            [pytest.param(None, marks=pytest.mark.skip(reason=reason))],
            ids=["no-golden-folder"],
            indirect=True,
        )
        return
    from refnum.testing.golden_case import case_names

    marker = metafunc.definition.get_closest_marker(_MARKER)
    try:
        names = case_names(Path(folder), marker.args if marker else ("*",))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    metafunc.parametrize(
        _FIXTURE, [(folder, name) for name in names], ids=names, indirect=True
    )


@pytest.fixture
def golden_case(request: pytest.FixtureRequest) -> GoldenCase:
    """A golden case: its facts, its inputs, and a check of outputs."""
    from refnum.testing.golden_case import read_case

    folder, name = request.param
    return read_case(Path(folder), name)
