"""The admin's home page: what needs a person, the counts of orders, the workers, and the audit on request."""

import signal
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cloudmart.database.clock import DatabaseNow, database_now
from cloudmart.kernel.ids import first_id, new_id
from cloudmart.kernel.redaction import register_secret
from cloudmart.periodic import PeriodicTask
from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from inventory.models import InventoryRecord
from orders.models import Mail, Order
from payments.gateways.mock import MockGateway
from payments.models import Payment
from sagas.admin.order_chart import charts_of
from sagas.engine.causes import SUBJECTS, for_operators
from sagas.models import AuditRun, OrderHour, SagaInstance, WorkerHeartbeat
from sagas.operations.audit.audit import INVARIANTS
from sagas.operations.figures import audit_runs
from sagas.operations.figures.order_hours import (
    HOUR,
    KEPT_FOR,
    count_due_hours,
    count_hours,
    hour_of,
    last_hours,
    success_rate,
)
from sagas.operations.figures.workers import Heartbeat
from sagas.orchestration.workflow import ORDER_WORKFLOW, Remote
from tests.conftest import order_snapshot
from tests.factories import CustomerFactory, UserFactory
from tests.integration.test_leases import start
from tests.integration.test_races import all_at_once
from tests.processes import TIMEOUT, running_command, wait_until

HOME = "/admin/"


def saga(status="COMPLETED", code="", hours_ago=0, style="orchestration", **columns):
    """Stores a saga that was placed so many hours ago."""
    at = hour_of(database_now()) - HOUR * hours_ago
    pk = type(new_id())(int=first_id(at).int | new_id().int & (1 << 62) - 1)
    failure = {"code": code, "detail": code} if code else None
    return SagaInstance.objects.create(
        pk=pk, order_id=new_id(), saga_type=style, status=status, failure=failure, payload={}, created_at=at, **columns
    )


def figures(site):
    return site.get(HOME).context["figures"]


def concerns(site):
    return {concern.text: concern for concern in figures(site)["concerns"]}


# --- Orders by hour -------------------------------------------------------------------------------


def counts():
    return {row.hour: sorted(map(tuple, row.counts)) for row in OrderHour.objects.all() if row.counts}


def grow_old(**age):
    """Makes all counts older."""
    OrderHour.objects.update(counted_at=DatabaseNow() - timedelta(**age))


def test_orders_are_counted_by_the_hour_in_which_they_were_placed(transactional_db):
    now = hour_of(database_now())
    for status, code, hours_ago in [
        ("COMPLETED", "", 0),
        ("FAILED", "payment_declined", 0),
        ("FAILED", "payment_declined", 0),
        ("FAILED", "order_cancelled", 3),
        ("FAILED", "order_returned", 3),
        ("STOCK_RESERVED", "", 3),
        ("COMPLETED", "", 60),
    ]:
        saga(status, code, hours_ago)
    saga("STOCK_RESERVED", hours_ago=3, style="choreography", abandoned_at=now, attention="It hangs.")
    all_at_once([count_due_hours] * 3)
    expected = {
        now: [("orchestration", "completed", "", 1), ("orchestration", "failed", "payment_declined", 2)],
        now - HOUR * 3: [
            ("choreography", "abandoned", "", 1),
            ("orchestration", "cancelled", "order_cancelled", 1),
            ("orchestration", "returned", "order_returned", 1),
            ("orchestration", "waiting", "", 1),
        ],
    }
    assert counts() == expected
    hours = last_hours(24, now)
    assert success_rate(hours, "orchestration") == 0.5 and success_rate(hours, "choreography") is None
    grow_old(hours=1)
    count_due_hours()
    assert counts() == expected, "counting again changes nothing"


def test_counts_follow_a_change_of_status_once_they_are_too_old(transactional_db):
    recent, earlier = saga("STOCK_RESERVED"), saga("STOCK_RESERVED", hours_ago=5)
    count_due_hours()
    SagaInstance.objects.update(status="COMPLETED")

    def outcomes():
        return [{outcome for _, outcome, _, _ in counts()[hour_of(each.created_at)]} for each in (recent, earlier)]

    with CaptureQueriesContext(connection) as queries:
        count_due_hours()
    assert outcomes() == [{"waiting"}, {"waiting"}] and len(queries) <= 2
    grow_old(seconds=20)
    count_due_hours()
    assert outcomes() == [{"completed"}, {"waiting"}]
    grow_old(minutes=40)
    count_due_hours()
    assert outcomes() == [{"completed"}, {"completed"}]


def test_an_order_whose_id_is_of_a_clock_that_is_fast_or_slow_is_counted(transactional_db):
    for difference in timedelta(minutes=-5), timedelta(hours=1, minutes=5):
        found = saga(hours_ago=3)
        SagaInstance.objects.filter(pk=found.pk).update(id=first_id(found.created_at + difference))
    count_hours([found.created_at])
    assert counts() == {found.created_at: [("orchestration", "completed", "", 2)]}


def test_the_page_says_as_of_when_the_orders_are_counted_also_in_an_hour_that_has_just_begun(site):
    assert figures(site)["counted_at"] is None
    count_due_hours()
    last = OrderHour.objects.latest("hour")
    last.delete()
    assert figures(site)["counted_at"] == last.counted_at


def test_the_page_does_not_claim_before_the_count_that_there_are_no_orders_and_no_failures(site):
    claims = [b"0 orders", b"No order has failed."]
    assert not any(claim in site.get(HOME).content for claim in claims)
    count_due_hours()
    assert all(claim in site.get(HOME).content for claim in claims)


def test_old_counts_and_runs_of_the_audit_are_deleted(transactional_db):
    now = database_now()
    for age in KEPT_FOR, KEPT_FOR - timedelta(days=1):
        OrderHour.objects.create(hour=hour_of(now) - age - HOUR, counted_at=now)
        AuditRun.objects.create(requested_by="operator", requested_at=now - age, finished_at=now)
    call_command("run_worker", once=True)
    assert OrderHour.objects.filter(hour__lt=now - timedelta(days=60)).count() == AuditRun.objects.count() == 1


def test_the_bars_of_the_chart_are_stacked_up_to_the_highest(transactional_db):
    for status in "COMPLETED", "COMPLETED", "COMPLETED", "STOCK_RESERVED":
        saga(status, style="choreography")
    saga(style="choreography", hours_ago=1)
    saga()
    count_due_hours()
    orchestration, choreography = charts_of(["orchestration", "choreography"], last_hours(24, database_now()))
    *_, before, last = choreography.columns
    assert [(part.outcome, part.y, part.height) for part in last.segments] == [
        ("completed", 30, 90),
        ("waiting", 0, 30),
    ]
    for column in before, orchestration.columns[-1]:
        assert [(part.y, part.height) for part in column.segments] == [(90, 30)], "on one scale"


# --- What needs a person --------------------------------------------------------------------------


def test_orders_that_need_a_person_are_grouped_by_cause(site):
    for hours_ago in 1, 2:
        saga("STOCK_RESERVED", hours_ago=hours_ago, attention="5 runs have failed.", attention_code="charge_unknown")
    saga("COMPENSATION_STARTED", attention="5 runs have failed.", attention_code="already_shipped")
    saga("COMPENSATION_STARTED", attention="By hand.", attention_code="charge_unknown", abandoned_at=database_now())
    saga("COMPLETED", attention="1 run has failed.", attention_code="charge_unknown")
    with CaptureQueriesContext(connection) as queries:
        shown = figures(site)
    assert len(queries) <= 20
    waiting, other = (concern for concern in shown["concerns"] if "sagainstance" in concern.url)
    assert (waiting.number, waiting.text) == (2, "Payment gateway: it is not known whether the charge was made")
    assert waiting.age.replace("\xa0", " ") in {"oldest: 2 hours", "oldest: 3 hours"}
    assert (other.number, other.text) == (1, "Already shipped")
    assert len(site.get(waiting.url).context["cl"].result_list) == 2
    assert shown["abandoned"] == len(
        site.get("/admin/sagas/sagainstance/?attention=abandoned").context["cl"].result_list
    )


@pytest.mark.parametrize("style", ["orchestration", "choreography"])
def test_an_order_that_waits_shows_its_cause_its_money_and_its_stock(site, customer, shelve, settings, style):
    settings.ATTENTION_AFTER = 1
    shelve("book-123", 5)

    def unsure(self, key, **rest):
        raise OutcomeUnknown("RemoteProtocolError")

    with pytest.MonkeyPatch.context() as down:
        down.setattr(MockGateway, "charge", unsure)
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("RemoteProtocolError"))
        start(order_snapshot(("book-123", 2), style=style))
    shown = figures(site)
    assert "Payment gateway: it is not known whether the charge was made" in concerns(site)
    assert shown["money"]["requested"] == shown["money"]["total"] == f"¥{Payment.objects.get().amount:,}"
    assert (shown["stock"].copies, shown["stock"].reservations) == (2, 1)
    assert "RemoteProtocolError" in SagaInstance.objects.get().attention
    assert shown["charts"][style == "choreography"].total == 0, "no worker has counted yet"


def test_every_provider_call_of_a_saga_has_a_cause():
    remote = [step for step in ORDER_WORKFLOW if isinstance(step, Remote)]
    assert {operation.command for step in remote for operation in (step.do, step.undo)} == SUBJECTS.keys()


def test_operators_read_the_sentence_of_a_cause_and_an_error_as_it_is_stored():
    assert for_operators("refund_refused", "1 run has failed.") == "Payment gateway: it refuses the refund"
    for code in "error", "already_shipped", "":
        assert for_operators(code, "1 run has failed. Odd: see the log") == "1 run has failed. Odd: see the log"


def test_failed_and_late_mails_and_stale_charges_need_a_person(site):
    order, late = Order.objects.create(id=new_id(), customer=CustomerFactory()), database_now() - timedelta(minutes=5)
    for status, outcome in ("failed", "completed"), ("pending", "cancelled"):
        Mail.objects.create(order=order, outcome=outcome, status=status, data={}, retry_until=late, due_at=late)
    charge = Payment.objects.create(order_id=order.pk, amount=100, idempotency_key="key")
    Payment.objects.filter(pk=charge.pk).update(updated_at=late)
    shown = concerns(site)
    assert {text: shown[text].number for text in shown if shown[text].level == "wait"} == {
        "Charges without an outcome": 1,
        "Mail has failed": 1,
        "Mail is late": 1,
    }
    for concern in shown.values():
        assert site.get(concern.url).status_code == 200


def test_a_user_who_may_not_see_orders_sees_no_figures(transactional_db):
    client = Client()
    client.force_login(UserFactory(is_staff=True))
    response = client.get(HOME)
    assert response.status_code == 200 and "figures" not in response.context


# --- Workers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_stops_deletes_its_heartbeat_and_one_that_dies_leaves_it(site, ending):
    assert concerns(site).keys() == {"No worker is running: nothing is retried, expired or mailed"}
    with running_command("run_worker") as worker:
        wait_until(WorkerHeartbeat.objects.exists)
        assert concerns(site) == {}
        worker.send_signal(ending)
        worker.wait(timeout=TIMEOUT)
    if ending == signal.SIGTERM:
        assert not WorkerHeartbeat.objects.exists()
        return
    name = WorkerHeartbeat.objects.get().worker
    assert name.endswith(f":{worker.pid}")
    WorkerHeartbeat.objects.update(seen_at=DatabaseNow() - timedelta(minutes=3))
    assert concerns(site)[f"Worker {name} has died"].age.replace("\xa0", " ") == "last seen 3 minutes ago"


def failing_with(error):
    def work(should_stop):
        if error:
            raise RuntimeError(error)
        return 0

    return work


def test_a_heartbeat_names_the_tasks_whose_last_run_has_failed(site):
    heartbeat = Heartbeat()
    for error in "gone", None:
        PeriodicTask("mails", failing_with(error), 1, heartbeat.note).run()
        heartbeat.beat()
        assert WorkerHeartbeat.objects.get().errors == ({"mails": "RuntimeError: gone"} if error else {})
        assert ("RuntimeError: gone" in site.get(HOME).content.decode()) is bool(error)


def test_a_heartbeat_contains_no_secrets(transactional_db):
    def charging(should_stop):
        register_secret("tok_secret_99")
        raise RuntimeError("charging tok_secret_99")

    heartbeat = Heartbeat()
    PeriodicTask("sagas", charging, 1, heartbeat.note).run()
    heartbeat.beat()
    assert WorkerHeartbeat.objects.get().errors == {"sagas": "RuntimeError: charging ***"}


# --- The audit ------------------------------------------------------------------------------------


def request_audit(client):
    return client.post("/admin/sagas/auditrun/request/", follow=True)


def test_the_audit_runs_in_a_worker_when_an_operator_requests_it(site, shelve):
    shelve("book-123", 3)
    assert "A worker runs the audit now." in request_audit(site).content.decode()
    assert "The audit is requested already." in request_audit(site).content.decode()
    call_command("run_worker", once=True)
    run = AuditRun.objects.get()
    assert (run.requested_by, run.holds, run.fence, run.lease_until) == ("operator", True, 1, None)
    assert len(run.findings) >= len(INVARIANTS)
    InventoryRecord.objects.update(on_hand=5)
    request_audit(site)
    call_command("run_worker", once=True)
    broken = AuditRun.objects.last()
    assert broken.holds is False
    concern = concerns(site)["The last audit has found invariants that do not hold"]
    page = site.get(concern.url).content.decode()
    assert "shelf_adds_up" in page and "does not hold" in page and "book-123" in page


def test_an_error_ends_the_audit_and_is_shown(site, monkeypatch):
    def fail(most):
        register_secret("tok_secret_99")
        raise RuntimeError("the ledger does not respond to tok_secret_99")
        yield

    request_audit(site)
    monkeypatch.setattr(audit_runs, "audit", fail)
    with pytest.raises(RuntimeError):
        audit_runs.run_requested()
    request_audit(site)
    concern = concerns(site)["The last audit was ended by an error"]
    assert "RuntimeError: the ledger does not respond to ***" in site.get(concern.url).content.decode()
    assert AuditRun.objects.filter(finished_at=None).count() == 1


def test_the_audit_of_a_dead_worker_is_run_by_another_and_that_of_a_live_one_is_not(transactional_db):
    now = database_now()
    run = AuditRun.objects.create(
        requested_by="operator", worker="other:1", fence=1, started_at=now, lease_until=now + timedelta(minutes=1)
    )
    assert audit_runs.run_requested() == 0
    AuditRun.objects.update(lease_until=now - timedelta(seconds=1))
    assert audit_runs.run_requested(lambda: True) == 0, "a worker that stops leaves it to others"
    assert audit_runs.run_requested() == 1
    run.refresh_from_db()
    assert (run.fence, run.holds) == (3, True) and run.worker != "other:1"


def test_only_those_who_may_run_the_audit_see_its_button_and_get_through(transactional_db):
    viewer = UserFactory(is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_sagainstance"))
    client = Client()
    client.force_login(viewer)
    button = "Run the audit now"
    assert button not in client.get(HOME).content.decode()
    assert request_audit(client).status_code == 403 and not AuditRun.objects.exists()
    viewer.user_permissions.add(Permission.objects.get(codename="run_audit"))
    client.force_login(viewer)
    assert button in client.get(HOME).content.decode()
    assert client.get("/admin/sagas/auditrun/request/").status_code == 405
    assert request_audit(client).status_code == 200 and AuditRun.objects.get().requested_by == viewer.username
