"""README.ja.md is the translation of README.md: whoever changes one must change the other.

Section by section both have the same commands, code, links, tables, numbers and settings. Only the words and the
language of the pictures differ. And what it tells the reader to try does what it says.

The decisions in docs/adr are numbered without gaps, and links to them resolve.
"""

import json
import re
from dataclasses import dataclass, field

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from tests.conftest import available, signed_in
from tests.processes import ROOT

pytestmark = pytest.mark.any_database

DECISIONS = ROOT / "docs" / "adr"
DECISION = re.compile(r"\b\d{4}-[a-z-]+\.md\b")
HEADING = re.compile(r"#{1,6} ")
COMMENT = re.compile(r"(^| +)# .*")
"""Of a shell command; it is translated."""
CODE = re.compile(r"(`+)(.+?)\1")
LINK = re.compile(r"\]\(([^)]+)\)")
FIXED = re.compile(r"\d[\d,.]*\d|\d|[A-Z]+(?:_[A-Z]+)+")
REQUEST = re.compile(r"-d '(\{.*\})'")
TRIAL = re.compile(r"^\| (?P<request>.*) \| (?P<status>\d{3}): ", re.MULTILINE)
"""A row of the table of what to add to a request, and the status of the response."""
MEMBERS = re.compile(r'`("[^`]*)`')
HEADER = re.compile(r'-H "([\w-]+): (\w+)"')
MOST_BYTES = 200_000
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
        self.links += sorted(link.replace("-ja.png", ".png") for link in LINK.findall(text))
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
        ("![a](docs/a.png)", "![あ](docs/b-ja.png)"),
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


@pytest.fixture
def tanaka(transactional_db):
    """The client of `make run`'s customer."""
    call_command("seed", demo_users=True, verbosity=0)
    return signed_in(get_user_model().objects.get(username="tanaka"))


def test_the_shop_has_enough_books_for_everything_that_the_readme_tries_in_both_styles(tanaka):
    text = read("README.md")
    order, trials = json.loads(REQUEST.search(text)[1]), TRIAL.findall(text)
    assert len(trials) == 6
    for style in ("orchestration", "choreography"):
        assert tanaka.post("/orders", {**order, "saga": style}).status_code == 201
        members = ""
        for request, status in trials:
            members = members if request.startswith("that, and") else MEMBERS.search(request)[1]
            headers = dict(HEADER.findall(request))
            body = {**order, "saga": style, **json.loads(f"{{{members}}}")}
            assert tanaka.post("/orders", body, headers=headers).status_code == int(status), request
    assert available("book-123") >= 1, "for the order whose server is killed"
    add_stock = re.search(r"manage\.py (add_stock \S+ \d+)`", text)[1]
    call_command(*add_stock.split(), verbosity=0)
    assert available("book-123") > 100, "for whoever tries everything again"


def test_an_order_whose_client_got_no_response_is_found_as_the_readme_tells(tanaka):
    text = read("README.md")
    order = json.loads(REQUEST.search(text)[1])
    tanaka.post("/orders", order)
    unanswered = tanaka.post("/orders", order).json()["order_id"]
    listing, status = re.findall(r"`GET (/\S+)`", text[text.index("**Kill it.**") :])[:2]
    found = tanaka.get(listing).json()["results"][0]["order_id"]
    assert found == unanswered and tanaka.get(status.format(order_id=found)).json()["order_id"] == unanswered


@pytest.mark.parametrize("name", OTHER_LANGUAGE)
def test_the_pictures_are_there_and_small(name):
    pictures = [ROOT / link for link in LINK.findall(read(name)) if link.endswith(".png")]
    assert len(set(pictures)) == 2
    assert all(0 < picture.stat().st_size < MOST_BYTES for picture in pictures)


def test_decisions_are_numbered_without_gaps_and_links_to_them_resolve():
    decisions = sorted(DECISIONS.iterdir())
    for number, file in enumerate(decisions, 1):
        assert file.name.startswith(f"{number:04}-") and file.read_text().startswith(f"# {number}. "), file.name
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "cloudmart").rglob("*.py")]
    linked = {name for text in texts for name in DECISION.findall(text.read_text())}
    assert linked and linked <= {file.name for file in decisions}
