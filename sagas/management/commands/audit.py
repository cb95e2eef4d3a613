"""Check every invariant of the shop."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudmart.database.invariants import Finding
from cloudmart.database.options import unlimited_statement_time
from sagas.operations.audit.audit import audit


class Command(BaseCommand):
    help = "Check every invariant of the shop over the live data; exit with 1 if one does not hold. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=20, help="offenders named of each invariant (default: 20)")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        broken = 0
        with unlimited_statement_time():
            for finding in audit(max(1, options["limit"])):
                broken += not finding.holds
                self.stdout.write(json.dumps(asdict(finding)) if options["json"] else line_of(finding))
        if broken:
            raise CommandError(f"Invariants that do not hold: {broken}.")


def line_of(finding: Finding) -> str:
    """`ok      name: 1,234 checked`, or `FAILED  name: 2 offenders: ID, ID`."""
    if finding.holds:
        return f"ok      {finding.name}: {finding.checked:,} checked"
    named = len(finding.offenders)
    count = f"{'more than ' if finding.more else ''}{named} offender{'' if named == 1 else 's'}"
    return f"FAILED  {finding.name}: {count}: {', '.join(finding.offenders)}"
