"""A mail server in a process of its own, which survives whatever is killed, and what it has accepted."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path

from orders.mails.messages import message_id_of
from orders.models import Mail
from tests.processes import TIMEOUT, free_port, listens, wait_until


@dataclass
class Letters:
    """A Maildir, into which a mail server on this port puts what it accepts."""

    port: int
    folder: Path
    _texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def copies_of(self, mail: Mail) -> list[str]:
        """Returns the text of each copy that has arrived."""
        for file in (self.folder / "new").iterdir():
            message = message_from_bytes(file.read_bytes())
            self._texts[message["Message-ID"]].append(message.get_payload())
            file.unlink()
        return self._texts[message_id_of(mail)]


@contextmanager
def delivering(folder: Path) -> Iterator[Letters]:
    port = free_port()
    command = ["-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Mailbox", str(folder)]
    process = subprocess.Popen([sys.executable, *command])
    try:
        wait_until(lambda: listens(port))
        yield Letters(port, folder)
    finally:
        process.terminate()
        process.wait(timeout=TIMEOUT)
