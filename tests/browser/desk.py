"""The admin as people use it: by the texts that they see."""

from typing import Any

from django.urls import reverse
from playwright.sync_api import Locator, Page, expect


class Desk:
    """A window of the admin."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def sign_in(self, username: str, password: str) -> None:
        self.page.goto("/admin/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def open(self, view: str, *arguments: Any) -> None:
        self.page.goto(reverse(f"admin:{view}", args=arguments))

    def open_order(self, order_id: str) -> None:
        self.open("orders_order_change", order_id)

    def find(self, term: str) -> None:
        """Searches with the box of the sidebar."""
        box = self.page.get_by_role("search").first.get_by_role("searchbox")
        box.fill(term)
        box.press("Enter")

    def command(self, name: str, reason: str = "") -> None:
        """Gives a command to the order on the page, and confirms it."""
        self.offers.get_by_role("link", name=name, exact=True).click()
        if reason:
            self.page.get_by_label("Reason").fill(reason)
        self.page.locator(".command-card").get_by_role("button").click()

    def command_all(self, name: str) -> None:
        """Chooses every row of the list, and a command for them."""
        self.page.locator("#action-toggle").check()
        self.page.locator("#changelist-actions select").select_option(label=name)
        self.page.get_by_role("button", name="Run", exact=True).click()

    @property
    def offers(self) -> Locator:
        """The commands of the order on the page."""
        return self.page.get_by_label("Commands for this order")

    @property
    def outcome(self) -> Locator:
        """What has become of the order on the page."""
        return self.page.locator(".order-outcome")

    @property
    def progress(self) -> Locator:
        """How far the batch on the page is."""
        return self.page.locator("#batch-progress")

    def card(self, title: str) -> Locator:
        """The part of the page with this heading."""
        heading = self.page.get_by_role("heading", name=title, exact=True)
        return self.page.locator("section").filter(has=heading)

    def shows(self, *texts: str) -> None:
        for text in texts:
            expect(self.page.get_by_text(text).first).to_be_visible()
