"""Foreign text is made storable."""

from datetime import UTC, datetime
from unicodedata import category

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.text import storable
from cloudmart.providers.calling import Attempt, ProviderResponse
from cloudmart.providers.outcomes import Accepted, Refused, Unknown
from payments.errors import PaymentDeclined, PaymentUnavailable
from tests.factories import BookFactory

any_text = st.text(st.characters(), max_size=400)
"""With control characters and lone surrogates."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(any_text, st.integers(0, 300))
def test_storable_text_is_short_and_has_no_control_characters(text, limit):
    fit = storable(text, limit)
    assert len(fit) == min(len(text), limit)
    assert not any(category(character) in {"Cc", "Cs"} for character in fit)
    assert storable(fit, limit) == fit


def test_control_characters_and_lone_surrogates_are_replaced():
    assert storable("a\0b\x1f\x7f\x9f\ud800\udfff", 10) == "a\ufffdb" + "\ufffd" * 5


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=100))
def test_ordinary_text_is_unchanged(text):
    assert storable(text, 100) == text


@pytest.mark.parametrize("text", ["👩🏽‍🚀", "e\u0301", "\u202eעברית", "本", "\U0010ffff", " "])
def test_unusual_but_valid_unicode_is_unchanged(text):
    assert storable(text, 10) == text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(text=any_text)
def test_every_database_returns_the_text_that_was_stored(transactional_db, text):
    book = BookFactory.build(id="book-123", title=storable(text, 300))
    book.save()
    book.refresh_from_db()
    assert book.title == storable(text, 300)


@example("x" * 501, "x" * 501)
@given(any_text, any_text)
def test_a_providers_outcomes_fit_the_columns(text, code):
    assert len(Accepted(text).reference) <= 255
    assert len(Unknown(text).reason) <= 200
    assert len(Attempt(NOW, NOW, text).error) <= 500
    assert len(ProviderResponse(Unknown(""), NOW, NOW, error=text).error) <= 500
    error = Refused(PaymentDeclined(text, reason=code)).error
    assert isinstance(error, PaymentDeclined)
    assert 0 < len(error.detail) <= 200
    assert 0 < len(error.details["reason"]) <= 64


@pytest.mark.parametrize("nothing", ["", None])
def test_an_empty_reason_becomes_the_errors_code(nothing):
    assert Refused(PaymentDeclined("No.", reason=nothing)).error.as_json() == {
        "code": "payment_declined",
        "detail": "No.",
        "reason": "payment_declined",
    }
    assert Refused(PaymentUnavailable()).error.details == {}


def test_other_details_of_a_refusal_are_dropped():
    details = {"reason": 51, "code": "x", "when": NOW, "much": float("nan"), "half": "\ud800"}
    assert Refused(DomainError("No.", **details)).error.details == {"reason": "51"}


def test_cutting_a_reference_is_logged(caplog):
    assert Accepted("x" * 255).reference == "x" * 255 and not caplog.messages
    assert Accepted("x" * 300).reference == "x" * 255
    assert caplog.messages == [f"a provider's reference of 300 characters is cut: {'x' * 255}"]
