"""What the database and the providers have after the chaos: python -m tests.chaos.findings LEDGER.

Runs in the environment of the topology, because the tests' own database is another one. Prints a JSON object.
"""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
django.setup()

from benchmarks.report.endings import endings, strangers  # noqa: E402
from cloudmart.outbox.models import EventSequence  # noqa: E402
from orders.models import Order, Status  # noqa: E402
from sagas.models import Event, SagaInstance  # noqa: E402


def findings(ledger: Path) -> dict[str, Any]:
    drafts = set(Order.objects.filter(status=Status.DRAFT).values_list("pk", flat=True))
    return {
        "orders": [[str(pk), *rest] for pk, *rest in Order.objects.values_list("pk", "address", "status")],
        "attention": list(SagaInstance.objects.exclude(attention=None).values_list("attention", flat=True)),
        "broken": {each.order_id: each.broken for each in endings(ledger, but=drafts) if each.broken},
        "strangers": sorted(strangers(ledger)),
        "events": events_of_sagas(),
        "sequences": dict(EventSequence.objects.values_list("subject", "latest")),
    }


def events_of_sagas() -> dict[str, list[list[Any]]]:
    """Returns the number, the id and the type of each recorded event, by order."""
    found = defaultdict(list)
    for order_id, *rest in Event.objects.order_by("seq").values_list("aggregate_id", "seq", "pk", "event_type"):
        found[str(order_id)].append([str(each) if isinstance(each, UUID) else each for each in rest])
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(findings(Path(sys.argv[1]))))
