"""What the response of an endpoint means."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from cloudmart.providers.http_client import Response

GONE = 410
REFUSALS = range(400, 500)
NOT_ABOUT_THE_CONTENT = {401, 403, 404, 407, 408, GONE, 421, 425, 429}
"""The refusals that concern every webhook: the endpoint is not there, is busy, or does not know the shop."""
SECONDS = re.compile(r"\d{1,9}")
NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request has ended: with a response, or with an error."""

    at: datetime
    """When it was sent, by the database's clock."""
    milliseconds: int
    status_code: int | None = None
    response: str = ""
    """The beginning of its body."""
    error: str = ""
    retry_after: timedelta = NONE
    """How long the endpoint asks to wait."""

    @property
    def is_accepted(self) -> bool:
        return not self.error and self.status_code is not None and 200 <= self.status_code < 300

    @property
    def is_gone(self) -> bool:
        """Returns True if the endpoint wants no webhook any more."""
        return self.status_code == GONE

    @property
    def is_refusal(self) -> bool:
        """Returns True if the endpoint works, and refuses the content of this webhook."""
        return self.status_code in REFUSALS and self.status_code not in NOT_ABOUT_THE_CONTENT


def retry_after_of(response: Response, now: datetime) -> timedelta:
    """Returns the wait that a Retry-After header asks for, in seconds or as a date; zero without one."""
    if response.status not in (429, 503):
        return NONE
    text = response.headers.get("retry-after", "").strip()
    if SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return NONE
    return max(NONE, until.replace(tzinfo=until.tzinfo or UTC) - now)
