"""The list of known bugs is kept: each has a test that says that we do not have it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.known_bugs import KNOWN_BUGS, LEFT_OUT, known_bug

TESTS = Path(__file__).resolve().parents[1]


def marked_in(path: Path) -> Iterator[str]:
    """The bugs with which the tests of a module are marked, as it is written."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == known_bug.__name__:
                    yield from (ast.literal_eval(name) for name in mark.args)


def test_every_known_bug_has_a_test():
    marked = {name for path in TESTS.rglob("test_*.py") for name in marked_in(path)}
    assert marked == set(KNOWN_BUGS)


def test_no_bug_is_both_in_the_list_and_left_out():
    assert not KNOWN_BUGS.keys() & LEFT_OUT.keys()


def test_a_bug_that_nobody_knows_is_a_mistake():
    with pytest.raises(KeyError, match="medusa#1"):
        known_bug("medusa#1")
