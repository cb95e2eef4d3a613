"""A real mail server for tests, in a thread of the tests, that can refuse, hang and hang up."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.processes import free_port

Reply = Callable[[str], str | None]
"""Returns the reply to this sender or recipient; None: the mail server accepts."""


def accepts(address: str) -> None:
    return None


@dataclass
class Mailbox:
    """What has arrived, and how the mail server replies."""

    messages: list[EmailMessage] = field(default_factory=list)
    connections: int = 0
    to_sender: Reply = accepts
    to_recipient: Reply = accepts
    to_data: Reply = accepts
    hangs: bool = False
    """True: it receives a text and never replies."""

    def reset(self) -> None:
        vars(self).update(vars(Mailbox()))

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.messages if message["To"] == address]

    # --- Called by aiosmtpd ---------------------------------------------------------------------

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self.to_sender(address):
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self.to_recipient(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.hangs:
            await asyncio.sleep(3600)
        (recipient,) = envelope.rcpt_tos
        if reply := self.to_data(recipient):
            return reply
        content: Any = envelope.original_content
        self.messages.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


@contextmanager
def running_mail_server(mailbox: Mailbox, port: int = 0) -> Iterator[int]:
    """Runs a mail server on 127.0.0.1 until the block ends. Returns its port."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=port or free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
