"""Sending the due mails, over one connection for each batch. No transaction is open while the mail server is called.

A mail is sent once, except that its worker may die, or lose the connection or the database, between the mail server's
acceptance and the COMMIT that stores it. Then it is sent again, with the same Message-ID.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.core.mail import EmailMessage, get_connection
from structlog import get_logger
from structlog.contextvars import bound_contextvars

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.sharing import Share, alone
from cloudmart.kernel.stopping import ShouldStop, never
from orders.mails.messages import message_of
from orders.mails.metrics import count_attempt
from orders.mails.queue import acquire, conclude, due, postpone
from orders.mails.rendering import language_of
from orders.models import Mail, MailStatus

logger = get_logger(__name__)

BATCH = 20
CLOSING, PERMANENT = 421, 500
"""The mail server's code when it closes the connection, and the first of those that no later attempt changes."""


class Refused(Exception):
    """The mail server does not take the mail, or its address is none; a later attempt would end the same."""


class MailServerDown(Exception):
    """A new connection could not be opened, or was lost at its first mail; the rest of the batch waits."""


class Connection:
    """A connection to the mail server, which is opened for the first mail, and again after it was lost."""

    def __init__(self) -> None:
        self._backend: Any = get_connection()
        self._is_open = self._is_new = False
        self._down = ""

    def send(self, message: EmailMessage) -> None:
        """Raises Refused, and any other error after which a later attempt may succeed."""
        self._open()
        try:
            self._backend.send_messages([message])
        except Exception as error:
            if not is_about_the_mail(error):
                self._lose(error, is_down=self._is_new)
                raise
            self._is_new = False
            if is_permanent(error):
                raise Refused(described(error)) from error
            raise
        self._is_new = False

    def close(self) -> None:
        """Ignores errors: what was sent is sent."""
        with suppress(Exception):
            self._backend.close()
        self._is_open = False

    def _open(self) -> None:
        if self._down:
            raise MailServerDown(self._down)
        if not self._is_open:
            try:
                self._backend.open()
            except Exception as error:
                self._lose(error, is_down=True)
                raise
            self._is_open = self._is_new = True

    def _lose(self, error: Exception, *, is_down: bool) -> None:
        if is_down:
            self._down = described(error)
        self.close()


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt has ended; a pending mail needs another one."""

    status: MailStatus
    error: str = ""


def send_due(should_stop: ShouldStop = never, share: Callable[[], Share] = alone) -> int:
    """Sends due mails until there are none. Returns how many were tried."""
    total, some = 0, True
    while some and not should_stop():
        batch = due(BATCH, share())
        random.shuffle(batch)  # so that workers do not compete for the same mail
        tried = _send_batch(batch, should_stop)
        total, some = total + tried, tried > 0
    return total


def _send_batch(batch: list[Mail], should_stop: ShouldStop) -> int:
    connection, tried = Connection(), 0
    try:
        for mail in batch:
            if should_stop():
                break
            if acquire(mail):
                with bound_contextvars(order_id=str(mail.order_id), mail_id=str(mail.pk)):
                    _attempt(mail, connection)
                tried += 1
    finally:
        connection.close()
    return tried


def _attempt(mail: Any, connection: Connection) -> None:
    """Sends an acquired mail, and stores how that has ended. The log has no `error`: that may contain an address."""
    ending = _send(mail, connection)
    if ending.status == MailStatus.PENDING and mail.is_last:
        ending = Ending(MailStatus.FAILED, ending.error)
    if ending.status == MailStatus.PENDING:
        is_stored = postpone(mail, ending.error)
    else:
        is_stored = conclude(mail, ending.status, ending.error, **_sent(mail, ending))
    count_attempt(mail.outcome, ending.status)
    log = logger.warning if ending.error else logger.info
    log("mail attempt", attempt=mail.attempts, status=str(ending.status))
    if not is_stored:
        logger.info("lease lost")


def _send(mail: Mail, connection: Connection) -> Ending:
    """Raises nothing: whatever is wrong with one mail concerns no other."""
    if not mail.order.customer.email:
        return Ending(MailStatus.NO_ADDRESS)
    try:
        connection.send(message_of(mail))
    except Refused as refusal:
        return Ending(MailStatus.FAILED, str(refusal))
    except Exception as error:
        return Ending(MailStatus.PENDING, described(error))
    return Ending(MailStatus.SENT)


def _sent(mail: Mail, ending: Ending) -> dict[str, Any]:
    """Returns to whom, in which language and when a mail was sent, if it was."""
    if ending.status != MailStatus.SENT:
        return {}
    return {"recipient": mail.order.customer.email, "language": language_of(mail), "sent_at": DatabaseNow()}


# --- What an error means --------------------------------------------------------------------------


def is_about_the_mail(error: Exception) -> bool:
    """Returns True if the connection is as good as before: for a mail that the server, or we, cannot accept."""
    if isinstance(error, SMTPRecipientsRefused | SMTPResponseException):
        return code_of(error) != CLOSING
    return isinstance(error, ValueError) and not isinstance(error, OSError)


def is_permanent(error: Exception) -> bool:
    """Returns True for a 5xx that concerns the recipient or the text, and for an address that is none.

    A 5xx that concerns the sender is a fault of our settings, which are corrected.
    """
    if isinstance(error, SMTPRecipientsRefused | SMTPDataError):
        return code_of(error) >= PERMANENT
    return isinstance(error, ValueError)


def code_of(error: SMTPRecipientsRefused | SMTPResponseException) -> int:
    return int(reply_of(error)[0])


def reply_of(error: SMTPRecipientsRefused | SMTPResponseException) -> tuple[int, str | bytes]:
    """Returns the mail server's code and text. Each mail has one recipient."""
    if isinstance(error, SMTPRecipientsRefused):
        return next(iter(error.recipients.values()))
    return error.smtp_code, error.smtp_error


def described(error: Exception) -> str:
    """Returns the mail server's reply, or the name of the error with its text."""
    if isinstance(error, SMTPRecipientsRefused | SMTPResponseException):
        code, text = reply_of(error)
        return f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    return str(error) if isinstance(error, MailServerDown) else f"{type(error).__name__}: {error}"
