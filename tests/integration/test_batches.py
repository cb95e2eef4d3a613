"""A command on many orders: the preview, the batch that workers run, and the page with its progress."""

from datetime import timedelta
from importlib import import_module
from threading import Barrier, Thread
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import reverse

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.ids import new_id
from cloudmart.providers.outcomes import OutcomeUnknown, ProviderUnavailable, Unknown
from orders.models import Order, SagaStyle
from payments.gateways.mock import MockGateway
from payments.models import Refund
from sagas.admin import batches
from sagas.batches import Batch, BatchItem
from sagas.models import SagaAction, SagaInstance
from sagas.operations.batches import work
from sagas.operations.batches.queue import acquire, delete_old, due, store
from sagas.operations.commands import run_command
from sagas.operations.desk_commands import DeskCommand
from tests.acceptance.test_matrix import named, staff_with

ORDER = {"book_id": "book-123", "quantity": 1, "payment_method": "e_money"}


@pytest.fixture
def place(api, shelve):
    """Places so many orders, in both styles in turn, and returns their ids."""
    shelve("book-123", 20)

    def place(number, **more):
        styles = list(SagaStyle)
        bodies = [{**ORDER, "saga": styles[n % 2], **more} for n in range(number)]
        return [UUID(api.post("/orders", body).json()["order_id"]) for body in bodies]

    return place


@pytest.fixture
def waiting(place, monkeypatch):
    """The ids of three orders that wait for their charge. The gateway is up again."""

    def down(*args, **kwargs):
        raise OutcomeUnknown("no response")

    with monkeypatch.context() as gateway:
        gateway.setattr(MockGateway, "charge", down)
        gateway.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
        return place(3)


def choose(site, command, model=SagaInstance):
    """Chooses all rows of a list and a command, and returns the preview."""
    name = model._meta.label_lower.replace(".", "_")
    chosen = [str(pk) for pk in model.objects.values_list("pk", flat=True)]
    page = site.post(reverse(f"admin:{name}_changelist"), {"action": command, "_selected_action": chosen})
    assert page.status_code == 200, page["Location"]
    return page


def confirm(site, preview, reason=""):
    """Confirms the preview, and returns the page of the batch."""
    form = {name: preview.context["form"].initial[name] for name in ("batch_id", "order_ids")}
    return site.post(
        reverse("admin:new_batch", args=[preview.context["command"]]), {**form, "reason": reason}, follow=True
    )


def results():
    return dict(BatchItem.objects.values_list("order_id", "result"))


def run_worker():
    call_command("run_worker", once=True)


def let_leases_expire():
    BatchItem.objects.update(due_at=DatabaseNow())


@pytest.mark.parametrize("model", [SagaInstance, Order])
def test_a_preview_names_the_sums_and_what_is_left_out_and_does_nothing(
    site, place, operator, model, django_assert_max_num_queries
):
    first, second, failed = place(2) + place(1, payment_method="credit_card", payment_token="tok_insufficient_funds")
    with django_assert_max_num_queries(20):
        preview = choose(site, "cancel", model)
    page = preview.content.decode()
    assert "Refunds ¥2,200 in all." in page and "1 order is left out" in page
    assert "The order was already undone." in page and "The customer reads the reason in the mail" in page
    assert {each.order_id for each in preview.context["selection"].included} == {first, second}
    assert preview.context["selection"].left_out[0].order_id == failed
    assert not Batch.objects.exists() and not SagaAction.objects.exists()


def test_a_worker_runs_a_batch_and_its_page_says_what_became_of_each_order(
    site, place, operator, django_assert_max_num_queries
):
    first, second = place(2)
    page = confirm(site, choose(site, "cancel"), reason="Recalled.")
    assert "0 of 2 orders" in page.content.decode() and 'hx-trigger="every 2s"' in page.content.decode()
    run_worker()
    with django_assert_max_num_queries(20):
        site.get(page.request["PATH_INFO"])
    progress = site.get(page.request["PATH_INFO"], headers={"HX-Request": "true"}).content.decode()
    assert "2 of 2 orders" in progress and "hx-get" not in progress and "<html" not in progress
    assert progress.count("Cancelled: everything is undone, and ¥1,100 is refunded.") == 2
    assert results() == {first: "done", second: "done"}
    assert set(SagaAction.objects.values_list("actor", "reason")) == {("operator", "Recalled.")}
    assert set(Order.objects.values_list("status", "cancel_reason")) == {("cancelled", "Recalled.")}


def test_an_abandoned_order_is_touched_by_no_batch(site, waiting, monkeypatch):
    run_command("abandon", waiting[0], "operator", "Bank transfer made by hand")
    for command in ("retry", "compensate", "cancel", "abandon"):
        selection = choose(site, command).context["selection"]
        assert {each.order_id for each in selection.left_out} == {waiting[0]}
    confirm(site, choose(site, "retry"))
    run_command("abandon", waiting[1], "operator", "Paid in the shop")
    work.run_due()
    assert results() == {waiting[1]: "nothing", waiting[2]: "done"}
    saga = SagaInstance.objects.get(order_id=waiting[0])
    assert saga.abandoned_at and saga.attention == "Bank transfer made by hand"
    assert list(SagaInstance.objects.filter(status="COMPLETED").values_list("order_id", flat=True)) == [waiting[2]]


@pytest.mark.parametrize("command", ["cancel", "retry", "compensate", "abandon"])
def test_an_order_that_is_abandoned_after_the_check_is_not_touched(site, waiting, monkeypatch, command):
    confirm(site, choose(site, command), "Recalled.")

    def abandon_first(given, order_id, *args, **options):
        run_command("abandon", order_id, "operator", "Paid in the shop")
        return run_command(given, order_id, *args, **options)

    monkeypatch.setattr("sagas.operations.running.run_command", abandon_first)
    work.run_due()
    assert set(results().values()) == {"refused"}
    sagas = SagaInstance.objects.values_list("status", "attention", "cancel_reason", "lease_until").distinct()
    assert list(sagas) == [("STOCK_RESERVED", "Paid in the shop", None, None)]


def test_no_list_offers_to_resume_abandoned_orders(site, waiting):
    page = site.get(reverse("admin:sagas_sagainstance_changelist")).content.decode()
    assert 'value="retry"' in page and 'value="resume"' not in page


def test_a_failing_order_stops_no_other(site, place, monkeypatch):
    orders = place(3)
    confirm(site, choose(site, "cancel"))
    records_of = work.records_of

    def broken(order_id):
        if order_id == orders[0]:
            raise RuntimeError("broken")
        return records_of(order_id)

    monkeypatch.setattr(work, "records_of", broken)
    refund, calls = MockGateway.refund, []

    def down_once(self, key, **kwargs):
        calls.append(key)
        if len(set(calls)) == 1:
            raise ProviderUnavailable("down")
        return refund(self, key, **kwargs)

    monkeypatch.setattr(MockGateway, "refund", down_once)
    assert work.run_due() == 3
    found = results()
    assert found.pop(orders[0]) == "failed" and sorted(found.values()) == ["done", "waits"]
    texts = BatchItem.objects.values_list("result", "text")
    assert all("In the log:" in text for result, text in texts if result == "failed")
    assert all("failed again" in text for result, text in texts if result == "waits")


@pytest.mark.any_database
@pytest.mark.parametrize("check", ["sagas.operations.batches.work.why_left_out", "sagas.operations.running.why_not"])
def test_an_order_whose_check_fails_stops_no_other(site, place, monkeypatch, check):
    broken, *others = place(3)
    confirm(site, choose(site, "cancel"))
    module, name = check.rsplit(".", 1)
    original = getattr(import_module(module), name)

    def failing(command, records):
        if records.order.pk == broken:
            raise RuntimeError("broken")
        return original(command, records)

    monkeypatch.setattr(check, failing)
    assert work.run_due() == 3
    assert results() == {broken: "failed", **dict.fromkeys(others, "done")}


def test_a_batch_that_is_sent_twice_is_run_once(site, place):
    place(2)
    preview = choose(site, "cancel")
    for _ in range(2):
        assert confirm(site, preview).status_code == 200
    assert (Batch.objects.count(), BatchItem.objects.count()) == (1, 2)


def test_two_workers_run_each_order_once(site, place):
    place(8)
    confirm(site, choose(site, "cancel"))
    start = Barrier(2)

    def worker():
        start.wait()
        try:
            work.run_due()
        finally:
            connections.close_all()

    threads = [Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results().values()) == {"done"} and SagaAction.objects.count() == 8
    assert set(BatchItem.objects.values_list("fence", flat=True)) == {1}


@pytest.mark.parametrize(
    ("dies_in", "result"),
    [
        ("run_item", ("done", "Cancelled: everything is undone, and ¥1,100 is refunded.")),
        (
            "conclude",
            (
                "nothing",
                "Nothing to do: The order was already undone. "
                "Another worker has begun the command before, and may have done it.",
            ),
        ),
    ],
)
def test_an_order_whose_worker_dies_is_run_by_another_and_refunded_once(site, place, monkeypatch, dies_in, result):
    place(1)
    confirm(site, choose(site, "cancel"))
    with monkeypatch.context() as killed:
        killed.setattr(work, dies_in, lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            work.run_due()
    assert set(results().values()) == {""} and work.run_due() == 0, "its lease has not expired"
    let_leases_expire()
    assert work.run_due() == 1
    assert BatchItem.objects.values_list("result", "text").get() == result
    assert Refund.objects.count() == 1 and Order.objects.get().status == "cancelled"


def test_a_worker_whose_lease_has_expired_stores_no_result(site, place, monkeypatch):
    place(1)
    confirm(site, choose(site, "cancel"))
    run_item = work.run_item

    def lose_lease(item, should_stop):
        report = run_item(item, should_stop)
        let_leases_expire()
        (other,) = due(1)
        assert acquire(other)
        return report

    monkeypatch.setattr(work, "run_item", lose_lease)
    work.run_due()
    assert set(results().values()) == {""}
    monkeypatch.undo()
    let_leases_expire()
    work.run_due()
    assert set(results().values()) == {"nothing"}


@pytest.mark.any_database
def test_a_batch_needs_the_permission_of_its_command_and_is_seen_by_its_operator(place, site):
    (order_id,) = place(1)
    form = {"batch_id": str(new_id()), "order_ids": str(order_id)}
    owner, other = staff_with(named("sagas.cancel_saga")), staff_with(named("sagas.retry_saga"))
    path, page = reverse("admin:new_batch", args=["cancel"]), reverse("admin:batch", args=[form["batch_id"]])
    statuses = []
    for user in (other, owner):
        client = Client()
        client.force_login(user)
        statuses += [client.post(path, form).status_code, client.get(page).status_code]
    assert statuses == [403, 404, 302, 200]
    client.force_login(other)
    assert client.get(page).status_code == 403 and site.get(page).status_code == 200
    assert site.post(reverse("admin:new_batch", args=["resume"]), form).status_code == 404


@pytest.mark.any_database
def test_abandoning_many_orders_needs_a_reason_and_their_number_is_limited(site, waiting, monkeypatch):
    preview = choose(site, "abandon")
    page = confirm(site, preview)
    assert page.context["form"].errors["reason"] and not Batch.objects.exists()
    assert confirm(site, preview, "The bank is bankrupt.").status_code == 200
    monkeypatch.setattr(batches, "MOST_AT_ONCE", 2)
    answer = site.post(
        reverse("admin:sagas_sagainstance_changelist"),
        {"action": "retry", "_selected_action": list(SagaInstance.objects.values_list("pk", flat=True))},
        follow=True,
    )
    assert [str(each) for each in answer.context["messages"]] == ["Choose at most 2 at once."]
    form = {"batch_id": str(new_id()), "order_ids": "nonsense"}
    assert site.post(reverse("admin:new_batch", args=["retry"]), form).status_code == 302
    assert Batch.objects.count() == 1


@pytest.mark.any_database
def test_old_batches_are_deleted(transactional_db, settings):
    for _ in range(2):
        store(new_id(), DeskCommand.CANCEL, [new_id()], "operator", "")
    old = Batch.objects.first()
    Batch.objects.filter(pk=old.pk).update(created_at=DatabaseNow() - settings.MAIL_RETENTION - timedelta(days=1))
    assert delete_old(10) == 1
    assert not Batch.objects.contains(old) and BatchItem.objects.count() == 1
