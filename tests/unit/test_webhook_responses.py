"""What the response of an endpoint means."""

from datetime import UTC, datetime, timedelta

import pytest

from cloudmart.providers.http_client import Response
from cloudmart.webhooks.responses import Answer, retry_after_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "120", 120),
        (503, " 0 ", 0),
        (503, "Thu, 26 Nov 2026 12:01:00 GMT", 60),
        (503, "Thu, 26 Nov 2026 12:01:00 -0000", 60),
        (503, "Thu, 26 Nov 2026 11:59:00 GMT", 0),
        (503, "soon", 0),
        (503, "-5", 0),
        (503, "99999999999999999999", 0),
        (503, "", 0),
        (500, "120", 0),
        (301, "120", 0),
    ],
)
def test_retry_after_is_read_of_a_429_or_503(status, text, seconds):
    response = Response(status, b"", "identity", {"retry-after": text})
    assert retry_after_of(response, NOW) == timedelta(seconds=seconds)


def test_a_response_without_retry_after_asks_for_no_wait():
    assert retry_after_of(Response(503, b"", "identity"), NOW) == timedelta(0)


@pytest.mark.parametrize(
    ("status_code", "error", "means"),
    [
        *((status, "", "accepted") for status in (200, 201, 202, 204)),
        *((status, "", "failed") for status in (101, 301, 302, 307, 308, 401, 403, 404, 408, 410, 429, 500, 503)),
        *((status, "", "refused") for status in (400, 409, 413, 415, 418, 422)),
        (None, "ReadTimeout", "failed"),
    ],
)
def test_each_response_has_a_meaning(status_code, error, means):
    answer = Answer(NOW, 1, status_code, error=error)
    assert (answer.is_accepted, answer.is_refusal) == (means == "accepted", means == "refused")
