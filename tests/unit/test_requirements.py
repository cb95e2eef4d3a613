"""What production installs is pinned, hashed, and what requirements.txt asks for; and what its containers may do."""

import re

import pytest
import yaml
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


def test_the_image_installs_nothing_but_the_lock_and_checks_its_hashes():
    commands = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    (install,) = re.findall(r"pip3? install (.*)", commands)
    assert {"--require-hashes", "--requirement requirements.lock"} <= set(re.split(r" (?=--)", install))


SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_capability_that_it_is_not_given_by_name(service):
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert service == "mysql" or "cap_add" not in SERVICES[service], "only MySQL's image becomes another user"
