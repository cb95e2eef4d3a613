"""The file of translations is complete, and is the one that Django reads."""

import re
from pathlib import Path

import polib
import pytest

pytestmark = pytest.mark.any_database

PO = Path("locale/ja/LC_MESSAGES/django.po")
PLACEHOLDER = re.compile(r"%\(\w+\)[sdf]|%[sd%]|\{\w*\}|`[^`]+`|<[^>]+>")


@pytest.fixture(scope="module")
def messages():
    return polib.pofile(str(PO))


def texts(entry):
    """The translations of an entry, each with its placeholders' original."""
    if entry.msgid_plural:
        return [(entry.msgid_plural, text) for text in entry.msgstr_plural.values()]
    return [(entry.msgid, entry.msgstr)]


def test_every_text_is_translated(messages):
    assert [entry.msgid for entry in messages.untranslated_entries()] == []
    assert [entry.msgid for entry in messages.fuzzy_entries()] == []


def test_translations_have_the_placeholders_of_the_originals(messages):
    different = [
        (original, text)
        for entry in messages
        if not entry.obsolete
        for original, text in texts(entry)
        if sorted(PLACEHOLDER.findall(original)) != sorted(PLACEHOLDER.findall(text))
    ]
    assert different == []


def test_the_compiled_file_is_current(messages):
    compiled = polib.mofile(str(PO.with_suffix(".mo")))
    assert {(e.msgid, e.msgctxt): texts(e) for e in compiled} == {
        (e.msgid, e.msgctxt): texts(e) for e in messages.translated_entries()
    }
