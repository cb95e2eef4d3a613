"""Signing in to the admin."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.factories import UserFactory

PASSWORD = "a long password"


def test_an_operator_signs_in_and_sees_the_sidebar(open_window, transactional_db):
    password = PBKDF2PasswordHasher().encode(PASSWORD, "salt")
    UserFactory(username="suzuki", is_staff=True, is_superuser=True, password=password)
    desk = Desk(open_window())
    desk.sign_in("suzuki", PASSWORD)
    expect(desk.page.get_by_role("link", name="Home")).to_be_visible()
    expect(desk.page).to_have_url("/admin/")


def test_a_wrong_password_is_refused(open_window, transactional_db):
    desk = Desk(open_window())
    desk.sign_in("suzuki", PASSWORD)
    expect(desk.page.get_by_text("Please enter the correct username and password")).to_be_visible()
