"""Reports as CSV: every value can be read back, and no text is a formula."""

import csv
import string
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudmart.api.csv_renderer import CSVRenderer, Lines, written

pytestmark = pytest.mark.any_database

texts = st.text(st.sampled_from([*string.printable, "書", "é"]))


@given(st.lists(st.tuples(texts, st.integers()), max_size=9))
def test_a_table_can_be_read_back(rows):
    lines = Lines(["text", "number"], [{"text": text, "number": number, "more": 1} for text, number in rows])
    header, *found = csv.reader(StringIO(written(lines), newline=""))
    assert header == ["text", "number"]
    assert [(text.removeprefix("'"), number) for text, number in found] == [
        (text.removeprefix("'"), str(number)) for text, number in rows
    ]
    assert not any(text.startswith(("=", "+", "-", "@", "\t", "\r")) for text, _ in found)


def test_a_text_that_looks_like_a_formula_gets_an_apostrophe():
    lines = Lines(["code", "adjusted"], [{"code": "-1", "adjusted": -1}, {"code": "=1+1", "adjusted": 0}])
    assert written(lines) == "code,adjusted\r\n'-1,-1\r\n'=1+1,0\r\n"


def test_a_problem_is_json():
    assert CSVRenderer().render({"code": "invalid"}) == b'{"code":"invalid"}'
