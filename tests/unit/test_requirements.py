"""The lock file pins and hashes every requirement, and the containers have few privileges."""

import re

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import ROOT

pytestmark = pytest.mark.any_database

REQUIREMENTS = [
    line
    for name in ("requirements.txt", "requirements-scale.txt")
    for line in re.findall(r"^[^#\s]+", (ROOT / name).read_text(), re.MULTILINE)
]
LOCK = (ROOT / "requirements.lock").read_text().replace("\\\n", "")
PINNED = re.findall(r"^([\w.-]+)==([^\s;]+)(.*)$", LOCK, re.MULTILINE)
"""Name, version and rest of the line. A name may have several versions, for several versions of Python."""


@pytest.mark.parametrize("line", REQUIREMENTS)
def test_the_lock_contains_every_requirement(line):
    requirement = Requirement(line)
    versions = [version for name, version, _ in PINNED if name == canonicalize_name(requirement.name)]
    assert versions and all(map(requirement.specifier.contains, versions)), "the lock is out of date: make lock"


def test_everything_in_the_lock_is_hashed():
    assert PINNED and all("--hash=sha256:" in rest for *_, rest in PINNED)


def test_the_lock_names_no_registry():
    assert "://" not in LOCK


def test_the_image_installs_only_the_lock_and_checks_its_hashes():
    commands = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    (install,) = re.findall(r"pip3? install (.*)", commands)
    assert {"--require-hashes", "--requirement requirements.lock"} <= set(re.split(r" (?=--)", install))


SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_drops_every_capability_that_it_does_not_need(service):
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    changes_its_user = SERVICES[service]["image"].startswith("mysql:")
    assert changes_its_user or "cap_add" not in SERVICES[service], "only MySQL's image changes its user"
    assert changes_its_user or SERVICES[service]["read_only"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]
