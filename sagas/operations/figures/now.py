"""What needs a person now: orders and the stock and money they hold, unsent mails, and failing webhook endpoints."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Min, Q, Sum

from cloudmart.webhooks.endpoints import GONE, SILENT
from cloudmart.webhooks.models import EndpointStatus, WebhookEndpoint
from inventory.models import Reservation
from inventory.models import Status as ReservationStatus
from orders.models import Mail, MailStatus
from payments.models import Payment, Refund, RefundStatus
from payments.models import Status as PaymentStatus
from sagas.models import UNFINISHED, SagaInstance
from sagas.operations.finding import NEEDS_ATTENTION
from sagas.operations.stale_intents import KINDS, stale

MOST_MAILS = 1000
MAIL_IS_LATE = timedelta(minutes=1)
"""A mail that has been due for longer is not sent: no worker runs, or the mail server is down."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The orders that need a person for the same cause."""

    cause: str
    number: int
    since: datetime
    """When the oldest of them was placed."""


def needing_attention() -> list[Waiting]:
    """Returns the unfinished orders that an operator must look at, by cause; not those that one has abandoned."""
    causes = (
        SagaInstance.objects.filter(NEEDS_ATTENTION)
        .values_list("attention_code")
        .annotate(number=Count("pk"), since=Min("created_at"))
    )
    return [Waiting(*each) for each in causes.order_by("-number", "attention_code")]


def stale_intents() -> dict[str, int]:
    """Returns how many intents of each kind a worker should have resumed by now."""
    return {kind.name: number for kind in KINDS if (number := stale(kind).count())}


@dataclass(frozen=True, slots=True)
class HeldStock:
    """The copies that are reserved, and by how many reservations."""

    reservations: int
    copies: int


def held_stock() -> HeldStock:
    active = Reservation.objects.filter(status=ReservationStatus.ACTIVE)
    return HeldStock(**active.aggregate(reservations=Count("pk"), copies=Sum("quantity", default=0)))


@dataclass(frozen=True, slots=True)
class MoneyInFlight:
    """The charges of unfinished orders, and all refunds that are not made yet, in minor units."""

    requested: int
    """The charge is requested; its outcome is not known yet."""
    captured: int
    """The money was taken, less what was refunded since."""
    refunding: int
    """The refund is requested; its outcome is not known yet."""

    @property
    def total(self) -> int:
        return self.requested + self.captured + self.refunding


def money_in_flight() -> MoneyInFlight:
    unfinished = SagaInstance.objects.filter(status__in=UNFINISHED).values("order_id")
    payments = Payment.objects.filter(order_id__in=unfinished)
    left = F("amount") - F("refunded_amount")
    sums = payments.aggregate(
        requested=Sum("amount", filter=Q(status=PaymentStatus.PENDING), default=0),
        captured=Sum(left, filter=Q(status=PaymentStatus.CAPTURED), default=0),
    )
    refunds = Refund.objects.filter(status=RefundStatus.PENDING)
    return MoneyInFlight(**sums, refunding=refunds.aggregate(total=Sum("amount", default=0))["total"])


@dataclass(frozen=True, slots=True)
class UnsentMails:
    """The mails that are pending or have failed."""

    pending: int
    failed: int
    due_since: datetime | None
    """Since when the mail has been due that has been due longest, or when the first one will be."""

    def is_late(self, now: datetime) -> bool:
        """Returns True if mails are due that nobody sends."""
        return self.due_since is not None and now - self.due_since > MAIL_IS_LATE


def unsent_mails() -> UnsentMails:
    """Counts at most MOST_MAILS of each: while the mail server is down there may be very many."""
    pending = Mail.objects.filter(status=MailStatus.PENDING).order_by("due_at")
    due_at = list(pending.values_list("due_at", flat=True)[:MOST_MAILS])
    failed = Mail.objects.filter(status=MailStatus.FAILED)[:MOST_MAILS].count()
    return UnsentMails(len(due_at), failed, due_at[0] if due_at else None)


@dataclass(frozen=True, slots=True)
class FailingEndpoints:
    """The webhook endpoints that accept nothing."""

    disabled: int
    """Those that a worker has disabled for that."""
    failing: int
    """Those to which workers still send."""
    failing_since: datetime | None


def failing_endpoints() -> FailingEndpoints:
    """An endpoint that an operator has disabled is none of them."""
    disabled = WebhookEndpoint.objects.filter(status=EndpointStatus.DISABLED, disabled_reason__in=[GONE, SILENT])
    failing = WebhookEndpoint.objects.filter(status=EndpointStatus.ENABLED, failing_since__isnull=False)
    return FailingEndpoints(
        disabled.count(), **failing.aggregate(failing=Count("pk"), failing_since=Min("failing_since"))
    )
