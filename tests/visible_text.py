"""The text of a page that a person reads or hears."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

SKIPPED = {"script", "style", "code", "pre", "textarea", "template", "button-icon"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SPOKEN = {"alt", "aria-label", "placeholder", "title"}


class VisibleText(HTMLParser):
    """Collects the texts, without code, icons (whose text is the name of a glyph) and what is in a given language."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        skipped = (
            tag in SKIPPED
            or "material-symbols-outlined" in (values.get("class") or "")
            or (tag != "html" and "lang" in values)
            or values.get("translate") == "no"
        )
        if not (skipped or self._is_skipped()):
            self.texts += filter(None, (values.get(name) for name in SPOKEN))
            if tag == "input" and values.get("type") in ("submit", "button"):
                self.texts.append(values.get("value") or "")
        if tag not in VOID:
            self._open.append((tag, skipped))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._is_skipped():
            self.texts.append(" ".join(data.split()))

    def _is_skipped(self) -> bool:
        return any(skipped for _, skipped in self._open)


def visible_texts(page: str) -> list[str]:
    parser = VisibleText()
    parser.feed(page)
    return parser.texts


WORD = re.compile(r"(?<![\w@./:#-])[A-Za-z][a-z]{2,}(?![\w@/_-]|\.\w)")
"""A word as in a sentence: no code, path, address or state."""


def english_words(texts: list[str], allowed: set[str]) -> Iterator[tuple[str, str]]:
    """Yields each word that is not allowed, with the text that contains it."""
    for text in texts:
        for word in WORD.findall(text):
            if word not in allowed:
                yield word, text
