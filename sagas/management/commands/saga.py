"""Lists and shows sagas, and runs the operators' commands on them."""

import getpass
import json
import os
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console

from cloudmart.kernel.order_numbers import shown
from cloudmart.kernel.text import LONGEST_REASON
from orders.models import SagaStyle
from sagas.management.saga import listing, showing
from sagas.models import State
from sagas.operations.desk_commands import DeskCommand
from sagas.operations.finding import found_sagas, orders_named
from sagas.operations.records import records_of
from sagas.operations.reports import Result
from sagas.operations.running import run
from sagas.operations.timeline.reading import timeline_of_order

COMMANDS = {
    DeskCommand.RETRY: "resume a waiting saga now",
    DeskCommand.COMPENSATE: "undo an unfinished order now",
    DeskCommand.ABANDON: "stop the attempts until the saga is resumed; nothing is undone",
    DeskCommand.RESUME: "resume an abandoned saga",
    DeskCommand.CANCEL: "undo a completed order, request that of an unfinished one, or cancel a draft",
}
"""What can be done without having seen the parcel."""

NOT_DONE = {Result.NOTHING_DONE, Result.REFUSED, Result.FAILED}

WIDTH_OF_FILES = 1000
"""Columns of what is not written to a terminal: each saga is on one line, with all of its text."""

NAME_OF_ORDER = "the id of the order, or its short number or the beginning of it"


class Command(BaseCommand):
    help = "List sagas, show what has happened to an order, and retry, compensate, abandon, resume or cancel it."

    def add_arguments(self, parser: CommandParser) -> None:
        parsers = parser.add_subparsers(dest="subcommand", required=True)
        self._add_list(parsers.add_parser("list", help="list sagas, the newest first"))
        show = parsers.add_parser("show", help="show the timeline of an order")
        show.add_argument("order", help=NAME_OF_ORDER)
        show.add_argument("--json", action="store_true", help="one JSON object; times are milliseconds from `started`")
        for command, text in COMMANDS.items():
            self._add_command(parsers.add_parser(command.value, help=text), command)

    def _add_list(self, parser: CommandParser) -> None:
        parser.add_argument("--status", action="append", choices=State.values, default=[], help="may be repeated")
        parser.add_argument("--style", choices=SagaStyle.values, default="")
        parser.add_argument("--attention", action="store_true", help="at which an operator must look; none abandoned")
        parser.add_argument("--abandoned", action="store_true", help="which an operator has abandoned")
        parser.add_argument(
            "--since", type=listing.moment, metavar="TIME", help="started since then: 30m, 2h, 1d, or a date or time"
        )
        parser.add_argument("--limit", type=int, default=50, help="sagas at most (default: 50)")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def _add_command(self, parser: CommandParser, command: DeskCommand) -> None:
        parser.add_argument("order", help=NAME_OF_ORDER)
        parser.add_argument(
            "--reason",
            required=command == DeskCommand.ABANDON,
            default="",
            help=f"recorded, at most {LONGEST_REASON} characters; customers read that of a cancellation",
        )
        parser.add_argument(
            "--actor", default=user_of_shell(), help="who is recorded as having done it (default: shell:USER)"
        )

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        if subcommand == "list":
            self._list(options)
        elif subcommand == "show":
            self._show(order_named(options["order"]), options["json"])
        else:
            self._run(DeskCommand(subcommand), order_named(options["order"]), options["actor"], options["reason"])

    def _list(self, options: dict[str, Any]) -> None:
        names = ("style", "attention", "abandoned", "since")
        sagas = found_sagas(statuses=options["status"], **{name: options[name] for name in names})
        rows = sagas.defer("payload")[: max(1, options["limit"])]
        if not options["json"]:
            self._console.print(listing.table_of(rows))
            return
        for saga in rows:
            self._write_json(listing.as_json(saga))

    def _show(self, order_id: UUID, is_json: bool) -> None:
        timeline = timeline_of_order(order_id)
        if is_json:
            self._write_json(showing.as_json(timeline))
        else:
            self._console.print(showing.shown_timeline(timeline, self._console.width))

    def _run(self, command: DeskCommand, order_id: UUID, actor: str, reason: str) -> None:
        if command == DeskCommand.ABANDON and not reason.strip():
            raise CommandError("Say why the order is abandoned.")
        report = run(command, records_of(order_id), actor, reason)
        text = f"{shown(order_id)}: {report.text}"
        if report.result in NOT_DONE:
            raise CommandError(text)
        self.stdout.write(text)

    @property
    def _console(self) -> Console:
        console = Console(file=self.stdout, highlight=False)  # type: ignore[arg-type]
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = WIDTH_OF_FILES
        return console

    def _write_json(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False))


def order_named(term: str) -> UUID:
    """Returns the order that is called so. Raises CommandError unless there is exactly one."""
    found = orders_named(term)
    if not found:
        raise CommandError(f"There is no order {term}.")
    if len(found) > 1:
        ids = "\n".join(str(order_id) for order_id in found)
        raise CommandError(f"Several orders begin with {term}:\n{ids}")
    return found[0]


def user_of_shell() -> str:
    """Returns such as `shell:maria`; `shell` if the user has no name."""
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):
        return "shell"
