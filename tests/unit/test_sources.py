"""What docs/coverage-of-sources.md names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "coverage-of-sources.md"
TEST_FILE = re.compile(r"`((?:acceptance|crash|hostile|integration|unit)/\w+\.py)`")
TEST = re.compile(r"`(test_\w+)`")
TARGET = re.compile(r"`make ([a-z-]+)`")


def named_tests(text):
    """Yields each (file, test) of the document. A test without a file is in the one named before it in its row."""
    for row in text.splitlines():
        file = None
        for name in re.findall(r"`([^`]+)`", row):
            if TEST_FILE.fullmatch(f"`{name}`"):
                file = name
                yield file, None
            elif TEST.fullmatch(f"`{name}`"):
                yield file, name


def test_each_test_that_it_names_exists():
    tests = list(named_tests(DOCUMENT.read_text()))
    assert len(tests) > 50
    for file, name in tests:
        assert file, f"{name} has no file"
        source = (ROOT / "tests" / file).read_text()
        assert name is None or re.search(rf"^def {name}\(", source, re.MULTILINE), f"{file}: {name}"


def test_each_target_that_it_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(TARGET.findall(DOCUMENT.read_text())) <= targets


def test_each_link_of_it_leads_somewhere():
    for link in re.findall(r"\]\(([^)#]+)", DOCUMENT.read_text()):
        assert (DOCUMENT.parent / link).exists(), link
