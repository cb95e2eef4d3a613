"""The list of known bugs: each has a test that is marked with it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.known_bugs import KNOWN_BUGS, LEFT_OUT, known_bug

TESTS = Path(__file__).resolve().parents[1]


def marked_in(path: Path) -> Iterator[str]:
    """Yields the bugs in the marks of a module's tests."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == known_bug.__name__:
                    yield from (ast.literal_eval(name) for name in mark.args)


def test_every_known_bug_has_a_test():
    marked = {name for path in TESTS.rglob("test_*.py") for name in marked_in(path)}
    assert marked == set(KNOWN_BUGS)


def test_no_listed_bug_is_left_out():
    assert not KNOWN_BUGS.keys() & LEFT_OUT.keys()


def test_a_mark_with_a_bug_that_is_not_in_the_list_raises_key_error():
    with pytest.raises(KeyError, match="medusa#1"):
        known_bug("medusa#1")
