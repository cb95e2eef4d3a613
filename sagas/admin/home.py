"""The home page of the admin: what needs a person, and how the shop is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cloudmart.api.catalogue import CATALOGUE, meaning_of
from cloudmart.database.clock import database_now
from cloudmart.kernel.money import formatted
from orders.models import SagaStyle
from sagas.admin.order_chart import STACK, charts_of
from sagas.engine.causes import label_of
from sagas.models import AuditRun, WorkerHeartbeat
from sagas.operations.backlog import by_style
from sagas.operations.figures.now import (
    MOST_MAILS,
    FailingEndpoints,
    UnsentMails,
    failing_endpoints,
    held_stock,
    money_in_flight,
    needing_attention,
    stale_intents,
    unsent_mails,
)
from sagas.operations.figures.order_hours import failures, last_hours
from sagas.operations.figures.workers import is_dead

HOURS = 24
FAILURES = 8
"""How many causes of failure are shown."""
VIEW, RUN_AUDIT = "sagas.view_sagainstance", "sagas.run_audit"
"""The permissions to see the figures, and to have the audit run."""

CONDITION_NAMES = {
    "driven": gettext_lazy("driven now"),
    "due": gettext_lazy("due"),
    "waiting": gettext_lazy("waiting for the next attempt"),
    "abandoned": gettext_lazy("abandoned"),
}
"""The conditions of unfinished sagas, which `by_style` counts."""
INTENTS = {
    "charge": (gettext_lazy("Charges without an outcome"), "payments_payment", "status__exact=pending"),
    "void": (gettext_lazy("Voids without an outcome"), "payments_payment", "status__exact=cancelling"),
    "refund": (gettext_lazy("Refunds without an outcome"), "payments_refund", "status__exact=pending"),
    "parcel": (gettext_lazy("Parcels without an outcome"), "shipping_shipment", "status__exact=pending"),
    "parcel_cancellation": (
        gettext_lazy("Cancellations of parcels without an outcome"),
        "shipping_shipment",
        "status__exact=cancelling",
    ),
}
"""Of each kind of stale intent its name, and the list that shows it."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that needs a person, and the page that shows it."""

    number: int | str
    text: str
    age: str
    url: str
    level: str = "bad"
    """The end of its badge's class."""


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds the figures to the context of the admin's index, for users who may see orders."""
    context["title"] = _("Home")
    if request.user.has_perm(VIEW):
        context["figures"] = figures()
        context["may_run_audit"] = request.user.has_perm(RUN_AUDIT)
    return context


def figures() -> dict[str, Any]:
    now = database_now()
    hours = last_hours(HOURS, now)
    workers = list(WorkerHeartbeat.objects.order_by("worker"))
    mails, unfinished = unsent_mails(), by_style()
    audits = list(AuditRun.objects.defer("findings").order_by("-pk")[:2])  # at most one is not finished
    return {
        "concerns": [
            *_audits(audits),
            *_missing_workers(workers, now),
            *_orders(now),
            *_intents(),
            *_mails(mails, now),
            *_endpoints(failing_endpoints(), now),
        ],
        "abandoned": sum(counts["abandoned"] for counts in unfinished.values()),
        "charts": charts_of(SagaStyle.values, hours),
        "outcomes": STACK,
        "counted_at": max((hour.counted_at for hour in hours if hour.counted_at), default=None),
        "failures": [(code, _meaning(code), number) for code, number in failures(hours)[:FAILURES]],
        "unfinished": [
            (name, [unfinished.get(style, {}).get(condition, 0) for style in SagaStyle.values])
            for condition, name in CONDITION_NAMES.items()
        ],
        "styles": SagaStyle.values,
        "stock": held_stock(),
        "money": _amounts(),
        "mails": {"pending": _at_most(mails.pending), "failed": _at_most(mails.failed)},
        "workers": [(worker, is_dead(worker, now), age_of(worker.seen_at, now)) for worker in workers],
        "audit": audits[0] if audits else None,
    }


def _audits(runs: list[AuditRun]) -> Iterator[Concern]:
    """Yields what is wrong with the newest finished run."""
    finished = next((run for run in runs if run.finished_at), None)
    if finished and not finished.holds:
        url = reverse("admin:sagas_auditrun_change", args=[finished.pk])
        ended = _("The last audit was ended by an error")
        found = _("The last audit has found invariants that do not hold")
        yield Concern(0, ended if finished.holds is None else found, "", url)


def _orders(now: datetime) -> Iterator[Concern]:
    for waiting in needing_attention():
        query = f"attention={waiting.cause or 'other'}"
        yield Concern(
            waiting.number, label_of(waiting.cause), _oldest(waiting.since, now), _list("sagainstance", query)
        )


def _missing_workers(workers: list[WorkerHeartbeat], now: datetime) -> Iterator[Concern]:
    dead = [worker for worker in workers if is_dead(worker, now)]
    if len(dead) == len(workers):
        yield Concern(
            0, _("No worker is running: nothing is retried, expired or mailed"), "", _list("workerheartbeat")
        )
    for worker in dead:
        text = _("Worker %(worker)s has died") % {"worker": worker.worker}
        last_seen = _("last seen %(age)s ago") % {"age": age_of(worker.seen_at, now)}
        yield Concern(0, text, last_seen, _list("workerheartbeat"))


def _intents() -> Iterator[Concern]:
    for kind, number in stale_intents().items():
        name, table, query = INTENTS[kind]
        yield Concern(number, str(name), "", f"{reverse(f'admin:{table}_changelist')}?{query}", "wait")


def _mails(mails: UnsentMails, now: datetime) -> Iterator[Concern]:
    url = reverse("admin:orders_mail_changelist")
    if mails.failed:
        text = ngettext("Mail has failed", "Mails have failed", mails.failed)
        yield Concern(_at_most(mails.failed), text, "", f"{url}?status__exact=failed", "wait")
    if mails.is_late(now) and mails.due_since:
        text = ngettext("Mail is late", "Mails are late", mails.pending)
        yield Concern(
            _at_most(mails.pending), text, _oldest(mails.due_since, now), f"{url}?status__exact=pending", "wait"
        )


def _endpoints(endpoints: FailingEndpoints, now: datetime) -> Iterator[Concern]:
    url = reverse("admin:cloudmart_webhookendpoint_changelist")
    if endpoints.disabled:
        text = ngettext(
            "Webhook endpoint was disabled: it accepts nothing",
            "Webhook endpoints were disabled: they accept nothing",
            endpoints.disabled,
        )
        yield Concern(endpoints.disabled, text, "", f"{url}?status=disabled")
    if endpoints.failing_since:
        text = ngettext("Webhook endpoint is failing", "Webhook endpoints are failing", endpoints.failing)
        yield Concern(endpoints.failing, text, _oldest(endpoints.failing_since, now), f"{url}?status=enabled", "wait")


def _at_most(mails: int) -> int | str:
    """Returns the number of mails; "1000+" if more are not counted."""
    return f"{MOST_MAILS}+" if mails >= MOST_MAILS else mails


def _amounts() -> dict[str, str]:
    money = money_in_flight()
    return {name: formatted(getattr(money, name)) for name in ("total", "requested", "captured", "refunding")}


def _meaning(code: str) -> str:
    return _(meaning_of(code)) if code in CATALOGUE else ""


def _list(model: str, query: str = "") -> str:
    return f"{reverse(f'admin:sagas_{model}_changelist')}?{query}".rstrip("?")


def _oldest(since: datetime, now: datetime) -> str:
    return _("oldest: %(age)s") % {"age": age_of(since, now)}


def age_of(since: datetime, now: datetime) -> str:
    """Returns how long ago it was, such as "4 minutes"."""
    seconds = int((now - since).total_seconds())
    if seconds < 60:
        return ngettext("%(seconds)d second", "%(seconds)d seconds", seconds) % {"seconds": max(seconds, 0)}
    return timesince(since, now, depth=1)
