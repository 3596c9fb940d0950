"""Facts that must stand in more than one packaging file stand there alike."""

import configparser
import re
import tomllib
from pathlib import Path

from refnum._version import __version__

ROOT = Path(__file__).resolve().parents[1]


def dependency_group(groups: dict, name: str) -> set[str]:
    """A PEP 735 group with the groups it includes."""
    found = set()
    for entry in groups[name]:
        if isinstance(entry, dict):
            found |= dependency_group(groups, entry["include-group"])
        else:
            found.add(entry)
    return found


def test_the_dev_extra_is_the_dev_group():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extra = set(config["options.extras_require"]["dev"].split())
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert extra == dependency_group(pyproject["dependency-groups"], "dev")


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [__version__]
