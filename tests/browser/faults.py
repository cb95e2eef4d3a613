"""What a page must not have: errors in the console, content wider than the window, findings of axe-core."""

from collections.abc import Iterator

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ConsoleMessage, Error, Page

SERIOUS = {"serious", "critical"}


class Console:
    """The errors of a page's scripts, and what its Content-Security-Policy has refused."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", self._note_exception)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.location.get('url', '')}: {message.text}")

    def _note_exception(self, error: Error) -> None:
        self.errors.append(str(error))

    def take(self) -> list[str]:
        """Returns the errors since the last call."""
        errors, self.errors = self.errors, []
        return errors


def too_wide(page: Page) -> list[str]:
    """Returns the elements that make the page wider than the window, if it is."""
    return page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            return [...document.body.querySelectorAll("*")]
                .filter(element => element.getBoundingClientRect().right > width + 1)
                .map(element => `${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 40)}`)
                .slice(-5);
        }"""
    ) or (["the page"] if page.evaluate("document.documentElement.scrollWidth > innerWidth") else [])


def barriers(page: Page, only: str = "") -> Iterator[str]:
    """Yields axe-core's serious and critical findings of all rules, or of one.

    The page must bypass its Content-Security-Policy.
    """
    page.evaluate(AXE_SCRIPT)
    rules = {"runOnly": [only]} if only else {}
    found = page.evaluate("options => axe.run(options)", {"resultTypes": ["violations"], **rules})
    for violation in found["violations"]:
        if violation["impact"] in SERIOUS:
            nodes = violation["nodes"]
            summary = " ".join(nodes[0]["failureSummary"].split())
            yield f"{violation['id']} ({len(nodes)} times): {nodes[0]['html'][:300]} {summary[:300]}"
