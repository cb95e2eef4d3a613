"""The message of a mail. Its headers contain no text of the customer but the address."""

from email.utils import format_datetime, parseaddr

from django.conf import settings
from django.core.mail import EmailMessage

from orders.mails.rendering import text_of
from orders.models import Mail


def message_of(mail: Mail) -> EmailMessage:
    """Returns the message to the customer's present address. Every attempt has the same text, date and Message-ID."""
    text = text_of(mail)
    return EmailMessage(
        text.subject,
        text.body,
        to=[mail.order.customer.email],
        reply_to=[settings.MAIL_REPLY_TO],
        headers={
            "Message-ID": message_id_of(mail),
            "Date": format_datetime(mail.created_at),
            "Auto-Submitted": "auto-generated",
        },
    )


def message_id_of(mail: Mail) -> str:
    """Returns the Message-ID. What an operator resends has another one: mail boxes hide what they have seen."""
    _, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    resent = f".{mail.resends}" if mail.resends else ""
    return f"<{mail.pk}{resent}@{address.rpartition('@')[2] or 'localhost'}>"
