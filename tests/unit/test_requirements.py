"""What production installs is pinned and hashed, and is what requirements.txt asks for."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import ROOT

pytestmark = pytest.mark.any_database

ASKED_FOR = re.findall(r"^[^#\s]+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
LOCK = (ROOT / "requirements.lock").read_text().replace("\\\n", "")
PINNED = re.findall(r"^([\w.-]+)==([^\s;]+)(.*)$", LOCK, re.MULTILINE)
"""Name, version, and the rest of the line; a name has several versions where Python's decides."""


@pytest.mark.parametrize("line", ASKED_FOR)
def test_the_lock_has_what_is_asked_for(line):
    asked_for = Requirement(line)
    versions = [version for name, version, _ in PINNED if name == canonicalize_name(asked_for.name)]
    assert versions and all(map(asked_for.specifier.contains, versions)), "requirements.lock is out of date: make lock"


def test_everything_in_the_lock_is_hashed():
    assert PINNED and all("--hash=sha256:" in rest for *_, rest in PINNED)


def test_the_lock_names_no_registry():
    assert "://" not in LOCK
