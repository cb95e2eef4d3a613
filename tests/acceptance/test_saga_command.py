"""`manage.py saga`: operators' commands in the terminal, in both styles."""

import json
from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from rich.cells import cell_len

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.order_numbers import shown
from cloudmart.providers.outcomes import OutcomeUnknown, Unknown
from payments.gateways.mock import MockGateway
from sagas.models import SagaAction, SagaInstance


def saga(*arguments):
    """Returns what the command prints."""
    out = StringIO()
    call_command("saga", *map(str, arguments), stdout=out)
    return out.getvalue()


def found(*arguments):
    """Returns the orders that `saga list` finds."""
    return [json.loads(line)["order_id"] for line in saga("list", "--json", *arguments).splitlines()]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def waiting(place, shelve, monkeypatch, settings):
    """The id of an order that waits because the outcome of its charge is unknown. The gateway is up again."""
    shelve("book-123", 5)
    settings.PROVIDER_TEXTS = "plain"
    with monkeypatch.context() as down:

        def lose(self, key, **kwargs):
            raise OutcomeUnknown("no [response]")

        down.setattr(MockGateway, "charge", lose)
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("no response"))
        return place(("book-123", 1)).json()["order_id"]


def test_list_filters_by_state_style_attention_abandoned_and_age(waiting, place):
    bought = place(("book-123", 1)).json()["order_id"]
    style = SagaInstance.objects.get(order_id=bought).saga_type
    other = {"orchestration": "choreography", "choreography": "orchestration"}[style]
    assert found() == [bought, waiting]
    assert found("--limit", "1") == [bought]
    assert found("--status", "COMPLETED") == [bought]
    assert found("--style", style) == [bought, waiting] and found("--style", other) == []
    assert found("--since", "1h") == [bought, waiting] and found("--since", "2999-01-01") == []
    assert found("--attention") == found("--abandoned") == []
    SagaInstance.objects.filter(order_id=waiting).update(attention="Look!")
    assert found("--attention") == [waiting]
    saga("abandon", waiting, "--reason", "Paid by hand")
    assert found("--attention") == [] and found("--abandoned") == [waiting], "who has abandoned it has looked at it"
    printed = saga("list")
    assert shown(UUID(waiting)) in printed and "Abandoned: Paid by hand" in printed


def test_a_list_that_is_not_written_to_a_terminal_is_not_cut(waiting, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    reason = "The refund was made by bank transfer. " * 5
    saga("abandon", waiting, "--reason", reason)
    _titles, row = saga("list").splitlines()
    assert shown(UUID(waiting)) in row and reason.strip() in row


def test_show_has_the_timeline_with_the_attempts_and_what_is_next(waiting):
    in_hours = DatabaseNow() + timedelta(hours=2)
    SagaInstance.objects.update(wake_at=in_hours, deadline_at=in_hours)
    printed = saga("show", shown(UUID(waiting)))
    assert "Pay: attempt 4, next in 1 h 59 min, deadline in 1 h 59 min" in printed.replace("2 h 0 min", "1 h 59 min")
    for part in (waiting, "Create order", "Reserve stock", "█", "attempts 1 to 3: OutcomeUnknown: no [response]"):
        assert part in printed
    shown_as_json = json.loads(saga("show", waiting, "--json"))
    charge = next(bar for bar in shown_as_json["bars"] if bar["step"] == "process_payment")
    assert [attempt["number"] for attempt in charge["attempts"]] == [1, 2, 3]
    assert all(attempt["started"] <= attempt["finished"] for attempt in charge["attempts"])
    assert (charge["status"], shown_as_json["in_flight"]["attempt"]) == ("waiting", 4)


def test_show_can_be_read_in_a_terminal_of_80_columns(place, shelve, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shelve("book-123", 5)
    order_id = place(("book-123", 1), saga="choreography").json()["order_id"]
    printed = saga("show", order_id)
    assert max(map(cell_len, printed.splitlines())) <= 80
    for name in ("OrderCreated", "StockReserved", "PaymentCompleted", "OrderCompleted"):
        assert name in printed, "a name is not broken"


def test_retry_completes_a_waiting_order_and_refuses_a_completed_one(waiting, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "maria")
    number = shown(UUID(waiting))
    printed = saga("retry", number, "--reason", "The bank is up again.")
    assert printed == f"{number}: Retried: the order is completed.\n"
    with pytest.raises(CommandError, match="Nothing to do: The order was already completed") as refusal:
        saga("retry", waiting)
    assert refusal.value.returncode == 1
    recorded = SagaAction.objects.values_list("command", "actor", "reason", "outcome")
    assert list(recorded) == [("retry", "shell:maria", "The bank is up again.", "COMPLETED")]


def test_a_retry_that_fails_again_says_so(waiting, monkeypatch):
    monkeypatch.setattr(MockGateway, "charge", lambda self, key, **kwargs: 1 / 0)
    assert "the attempt has failed again" in saga("retry", waiting)


def test_an_order_is_abandoned_resumed_and_cancelled(waiting):
    with pytest.raises(CommandError, match="--reason"):
        saga("abandon", waiting)
    with pytest.raises(CommandError, match="Say why"):
        saga("abandon", waiting, "--reason", " ")
    assert "Abandoned" in saga("abandon", waiting, "--reason", "Paid by hand", "--actor", "maria")
    assert SagaAction.objects.get().actor == "maria"
    with pytest.raises(CommandError, match="abandoned: resume or compensate it"):
        saga("retry", waiting)
    assert "Resumed: the order is completed." in saga("resume", waiting)
    with pytest.raises(CommandError, match="not abandoned"):
        saga("resume", waiting)
    assert "everything is undone, and ¥1,100 is refunded" in saga("cancel", waiting)
    with pytest.raises(CommandError, match="already undone"):
        saga("cancel", waiting)


def test_compensate_undoes_an_order_at_once_where_cancel_requests_that(waiting):
    assert "a worker goes on undoing the order" in saga("cancel", waiting, "--reason", "Too slow")
    assert "Compensated: everything is undone." in saga("compensate", waiting)


def test_an_order_is_named_by_its_id_or_number_and_by_nothing_else(waiting, place):
    number = shown(UUID(waiting))
    for name in (waiting, number, number.lower(), f"#{number[:7]}"):
        assert waiting in saga("show", name)
    for name in ("nothing", "0000-0000", "ab", "01a21725-0000-0000-0000-000000000000"):
        with pytest.raises(CommandError, match="There is no order"):
            saga("show", name)
    for since in ("yesterday", "999999d"):
        with pytest.raises(CommandError, match="not a time"):
            saga("list", "--since", since)
    assert saga("list", "--json", "--since", "0001-01-02")
