"""Magic values are ordinary ones, unless the settings allow them."""

import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from cloudmart.providers.magic import LONGEST, behaviour_of_token
from orders.models import SagaStyle
from tests.processes import ROOT

pytestmark = pytest.mark.any_database

ORDER = {"customer_id": "customer-001", "book_id": "book-123", "quantity": 1, "payment_method": "credit_card"}
MAGIC = [
    {"payment_token": "tok_insufficient_funds"},
    {"payment_token": "tok_expired_card"},
    {"payment_token": "tok_unavailable_9"},
    {"payment_token": "tok_timeout_9"},
    {"payment_token": "tok_slow_20000"},
    {"shipping_address": "000-0000"},
    {"shipping_address": "999-9999"},
    {"shipping_address": "998-0009"},
]


@pytest.mark.parametrize("style", SagaStyle.values)
def test_magic_values_are_ordinary_where_they_are_not_allowed(api, shelve, settings, style):
    settings.ALLOW_MAGIC_TOKENS = False
    shelve("book-123", len(MAGIC))
    responses = [api.post("/orders", {**ORDER, "saga": style, **magic}) for magic in MAGIC]
    assert [response.status_code for response in responses] == [201] * len(MAGIC)


@pytest.mark.parametrize(
    ("environment", "allowed"),
    [
        ({}, False),
        ({"DEBUG": "true"}, False),
        ({"PROFILE": "dev"}, True),
        ({"ALLOW_MAGIC_TOKENS": "true"}, True),
        ({"PROFILE": "dev", "ALLOW_MAGIC_TOKENS": "false"}, False),
    ],
)
def test_magic_values_are_allowed_only_by_setting(environment, allowed):
    outside = {name: value for name, value in os.environ.items() if name not in {"PROFILE", "ALLOW_MAGIC_TOKENS"}}
    show = "from cloudmart import settings; print(settings.ALLOW_MAGIC_TOKENS)"
    shown = subprocess.check_output(
        [sys.executable, "-c", show], cwd=ROOT, env={**outside, "ENV_FILE": os.devnull, **environment}, text=True
    )
    assert shown.strip() == str(allowed)


def test_the_demo_requires_magic_values(settings):
    settings.ALLOW_MAGIC_TOKENS = False
    with pytest.raises(CommandError, match="ALLOW_MAGIC_TOKENS"):
        call_command("demo")


@pytest.mark.parametrize(("token", "seconds"), [("tok_slow_5000", 5), ("tok_slow_99999", LONGEST)])
def test_a_slow_token_is_limited(token, seconds):
    assert behaviour_of_token(token).slow == seconds
