"""The admin as people use it: by the texts that they see."""

from playwright.sync_api import Page


class Desk:
    """A window of the admin."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def sign_in(self, username: str, password: str) -> None:
        self.page.goto("/admin/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
