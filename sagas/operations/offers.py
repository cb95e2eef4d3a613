"""What a user may do with an order now: each command with its consequences, or why it is not possible."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from sagas.operations.consequences import TAKES_REASON, consequences, reason_readers
from sagas.operations.desk_commands import BEFORE_IT_IS_PLACED, DeskCommand, permission_for
from sagas.operations.records import OrderRecords
from sagas.operations.why_not import why_not


@dataclass(frozen=True, slots=True)
class Offer:
    """A command that the user may give for an order."""

    command: DeskCommand
    permission: str
    why_not: str
    """Why it would be refused or change nothing now; "" if it would do something."""
    consequences: tuple[str, ...]
    """What it does, in sentences; empty unless it is enabled."""
    reason_readers: str
    """Whether the customer reads the reason that is given; "" if the command takes none."""

    @property
    def label(self) -> str:
        return str(self.command.label)

    @property
    def confirmation(self) -> str:
        """The label of the button that runs it. "Cancel" alone would read as the way back."""
        if self.command == DeskCommand.CANCEL:
            return gettext("Cancel the order")
        return gettext("Add the note") if self.command == DeskCommand.NOTE else self.label

    @property
    def is_enabled(self) -> bool:
        return not self.why_not

    @property
    def consequence(self) -> str:
        return " ".join(self.consequences)

    @property
    def takes_reason(self) -> bool:
        return self.command in TAKES_REASON

    @property
    def requires_reason(self) -> bool:
        return self.command == DeskCommand.ABANDON


def offers(records: OrderRecords, user: Any) -> list[Offer]:
    """Returns what the user has the permission to do with the order, possible now or not."""
    commands = DeskCommand if records.saga else BEFORE_IT_IS_PLACED
    return [offer_of(command, records) for command in commands if may(user, command, records)]


def may(user: Any, command: DeskCommand, records: OrderRecords) -> bool:
    """Returns True if the user has the permission for this command on this order."""
    return bool(user.has_perm(permission_for(command, is_draft=records.is_draft)))


def offer_of(command: DeskCommand, records: OrderRecords) -> Offer:
    """Returns what the command would do now, or why it is not possible. Does not check permissions."""
    obstacle = why_not(command, records)
    return Offer(
        command=command,
        permission=permission_for(command, is_draft=records.is_draft),
        why_not=obstacle,
        consequences=() if obstacle else tuple(consequences(command, records)),
        reason_readers=reason_readers(command, records),
    )
