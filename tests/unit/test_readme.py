"""README.ja.md is the translation of README.md: whoever changes one must change the other.

Section by section both have the same commands, code, links, tables, numbers and settings. Only the words differ.
"""

import re
from dataclasses import dataclass, field

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.any_database

HEADING = re.compile(r"#{1,6} ")
COMMENT = re.compile(r"(^| +)# .*")
"""Of a shell command; it is translated."""
CODE = re.compile(r"(`+)(.+?)\1")
LINK = re.compile(r"\]\(([^)]+)\)")
FIXED = re.compile(r"\d[\d,.]*\d|\d|[A-Z]+(?:_[A-Z]+)+")
OTHER_LANGUAGE = {"README.md": "[日本語](README.ja.md)", "README.ja.md": "[English](README.md)"}


@dataclass
class Section:
    """What the translation of a section has in common with it."""

    level: int = 0
    blocks: list[str] = field(default_factory=list)
    """Fenced blocks with their language, without comments."""
    code: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    """Numbers, and names of settings."""
    rows: list[int] = field(default_factory=list)
    """The number of cells of each line of its tables."""
    paragraphs: int = 0

    def read(self, text: str) -> None:
        """Reads a paragraph or a table. The order of what is within it depends on the language."""
        lines = text.splitlines()
        is_table = lines[0].startswith("|")
        self.rows += [line.count("|") - line.count("\\|") for line in lines] if is_table else []
        self.paragraphs += not is_table
        self.links += sorted(LINK.findall(text))
        text = LINK.sub("]", text)
        self.code += sorted(code for _, code in CODE.findall(text))
        self.fixed += sorted(FIXED.findall(CODE.sub("", text)))


def sections(text: str) -> list[Section]:
    found = [Section()]
    for number, part in enumerate(re.split(r"^```", text, flags=re.MULTILINE)):
        if number % 2:
            found[-1].blocks.append("\n".join(COMMENT.sub("", line) for line in part.splitlines()))
            continue
        for paragraph in filter(None, map(str.strip, part.split("\n\n"))):
            if HEADING.match(paragraph):
                found.append(Section(level=paragraph.index(" ")))
            else:
                found[-1].read(paragraph)
    return found


def read(name: str) -> str:
    """Returns the text without the link to the other language."""
    text = (ROOT / name).read_text()
    assert text.splitlines()[2] == OTHER_LANGUAGE[name], "the line below the title links to the other language"
    return text.replace(OTHER_LANGUAGE[name], "", 1)


def test_the_japanese_readme_has_the_same_sections_commands_links_and_tables():
    english, japanese = sections(read("README.md")), sections(read("README.ja.md"))
    assert [section.level for section in japanese] == [section.level for section in english]
    for here, there in zip(english, japanese, strict=True):
        assert there == here


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        ("a `make run`", "`make test`"),
        ("[a](docs/a.md)", "[あ](docs/b.md)"),
        ("in 15 seconds", "20秒以内に"),
        ("set TRUSTED_PROXIES", "MAX_BODY_SIZE を設定"),
        ("| a | b |\n| --- | --- |\n| c | d |", "| あ | い |\n| --- | --- |"),
        ("one\n\ntwo", "一"),
        ("```\nmake run  # runs it\n```", "```\nmake demo  # 実行\n```"),
        ("## a\n\n`b`", "`b`\n\n## あ"),
    ],
)
def test_a_difference_is_found(english, japanese):
    assert sections(english) != sections(japanese)


def test_words_and_comments_may_differ():
    english = "## Run\n\nIt takes 15 seconds, `make run` does.\n\n```\nmake run  # runs it\n```"
    japanese = "## 実行\n\n`make run` の所要時間は15秒です。\n\n```\nmake run  # 実行\n```"
    assert sections(english) == sections(japanese)
