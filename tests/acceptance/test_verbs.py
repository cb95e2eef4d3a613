"""What operators may have a saga do: each time it is written down, and refused where it would be unsafe."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client

from cloudmart.database.clock import DatabaseNow
from cloudmart.providers.http_provider import ProviderMisused
from cloudmart.providers.remote import OutcomeUnknown, ProviderUnavailable, Unknown
from orders.models import Order
from payments.gateways.mock import MockGateway
from payments.models import Payment
from sagas.engine import recovery
from sagas.models import Event, SagaAction, SagaInstance
from sagas.operations import bulk
from sagas.operations.audit.audit import audit
from sagas.operations.bulk import CONSEQUENCES
from tests.acceptance.conftest import end_of
from tests.conftest import signed_in
from tests.known_bugs import known_bug

UNDONE = ("cancelled", 0, 0, [("book-123", 3, 0)])
BOUGHT = ("completed", 1100, 1, [("book-123", 2, 0)])
ADMIN = "/admin/sagas/sagainstance/"


def fails_with(error):
    def call(self, key, **kwargs):
        raise error

    return call


@pytest.fixture
def ask(operator):
    """An operator's word: verb, order and reason."""
    client = signed_in(operator)

    def ask(verb, order_id, reason=None):
        return client.post(f"/saga/{order_id}/{verb}", {"reason": reason} if reason else {})

    return ask


@pytest.fixture
def doubtful(place, shelve, monkeypatch):
    """The id of an order that waits, because nobody knows what has become of its charge; the gateway is up again."""
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no answer")))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        return place(("book-123", 1)).json()["order_id"]


@pytest.fixture
def owed(place, shelve, monkeypatch):
    """The id of an order that waits, because its refund could not be made; the gateway is up again."""
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", fails_with(ProviderUnavailable("down")))
        return place(("book-123", 1), shipping_address="999-9999").json()["order_id"]


def lease(seconds):
    SagaInstance.objects.update(owner="another", lease_until=DatabaseNow() + timedelta(seconds=seconds))


def work():
    """A worker's round, when all that waits has waited for long enough."""
    SagaInstance.objects.exclude(wake_at=None).update(wake_at=DatabaseNow())
    call_command("run_worker", once=True)


def actions():
    return list(SagaAction.objects.order_by("pk").values_list("verb", "actor", "reason", "outcome"))


def assert_the_books_are_right(settings):
    settings.AUDIT_GRACE = timedelta(0)
    assert [finding for finding in audit(limit=5) if not finding.holds] == []


def test_it_is_written_down_who_had_it_done_and_why(api, ask, doubtful, operator):
    told = ask("retry", doubtful, "The bank is up again.").json()
    (action,) = told["actions"]
    assert action.pop("at") and action == {
        "verb": "retry",
        "actor": operator.username,
        "reason": "The bank is up again.",
        "outcome": "COMPLETED",
    }
    assert api.get(f"/saga/{doubtful}/status").json()["actions"] == [], "this is between operators"


def test_it_is_written_down_before_it_is_done(ask, doubtful, operator, monkeypatch):
    def break_off(saga, should_stop):
        raise KeyboardInterrupt

    for style in recovery.RESUME:
        monkeypatch.setitem(recovery.RESUME, style, break_off)
    with pytest.raises(KeyboardInterrupt):
        ask("retry", doubtful)
    assert actions() == [("retry", operator.username, "", "")]


def test_a_customers_cancellation_is_written_down_too(api, doubtful):
    assert api.post(f"/orders/{doubtful}/cancel", {"reason": "Too slow."}).status_code == 202
    (action,) = actions()
    assert action[:3] == ("cancel", "customer-001", "Too slow.")


@known_bug("medusa#14804")
def test_compensating_undoes_at_once_what_waits(ask, doubtful, operator, settings):
    told = ask("compensate", doubtful, "Recalled.")
    assert told.status_code == 200 and told.json()["status"] == "FAILED"
    assert told.json()["failure"] == {"code": "order_cancelled", "detail": "Recalled.", "reason": "Recalled."}
    assert end_of(doubtful) == UNDONE
    assert actions() == [("compensate", operator.username, "Recalled.", "FAILED")]
    assert_the_books_are_right(settings)


def test_compensating_goes_on_with_what_turns_back_already(ask, owed, status_of):
    assert end_of(owed)[:2] == ("pending", 1100)
    told = ask("compensate", owed, "Recalled.").json()
    assert told["status"] == "FAILED" and told["failure"]["code"] == "shipping_failed", "the first failure stays"
    assert end_of(owed) == UNDONE


def test_compensating_cancels_what_is_complete_and_leaves_what_has_failed(ask, place, shelve):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    first, second = (ask("compensate", order_id).json() for _ in range(2))
    assert first["status"] == second["status"] == "FAILED"
    assert first["failure"] == second["failure"] and first["failure"]["reason"] == "The shop has stopped the order."
    assert end_of(order_id) == UNDONE


@pytest.mark.parametrize("verb", ["retry", "compensate", "give_up"])
def test_nobody_meddles_with_a_saga_that_is_driven(ask, doubtful, operator, verb):
    lease(60)
    before = SagaInstance.objects.values().get(), Event.objects.count()
    refused = ask(verb, doubtful, "Now!")
    assert refused.status_code == 409 and refused.json()["code"] == "saga_running"
    assert (SagaInstance.objects.values().get(), Event.objects.count()) == before
    assert actions() == [(verb, operator.username, "Now!", "saga_running")]
    lease(-1)
    assert ask(verb, doubtful, "Now!").status_code == 200


def test_what_was_given_up_is_tried_no_more_until_somebody_has_it_go_on(ask, owed, settings):
    told = ask("give_up", owed, "The card is closed.")
    assert told.status_code == 200 and told.json()["status"] == "COMPENSATION_STARTED"
    assert told.json()["attention"] == "The card is closed." and told.json()["given_up_at"]
    work()
    assert end_of(owed)[:2] == ("pending", 1100), "nobody has tried"
    assert_the_books_are_right(settings)
    refused = ask("retry", owed)
    assert refused.status_code == 409 and refused.json()["code"] == "saga_abandoned"
    assert refused.json()["reason"] == "The card is closed." and SagaInstance.objects.get().given_up_at
    told = ask("resume", owed, "The card is open.").json()
    assert (told["status"], told["attention"], told["given_up_at"]) == ("FAILED", None, None)
    assert end_of(owed) == UNDONE


def test_what_is_tried_again_in_vain_waits_as_before(ask, doubtful, monkeypatch):
    ask("give_up", doubtful, "The bank is bankrupt.")
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "charge", fails_with(OutcomeUnknown("no answer")))
        down.setattr(MockGateway, "lookup", lambda self, key: Unknown("nobody knows"))
        told = ask("resume", doubtful)
    assert told.status_code == 202 and told.json()["given_up_at"] is None and told.json()["attention"] is None
    work()
    assert end_of(doubtful) == BOUGHT


def test_cancelling_what_was_given_up_only_leaves_word(api, ask, doubtful):
    ask("give_up", doubtful, "The bank is bankrupt.")
    assert api.post(f"/orders/{doubtful}/cancel", {"reason": "Too slow."}).status_code == 202
    work()
    assert not SagaInstance.objects.get().is_finished
    told = ask("resume", doubtful).json()
    assert told["status"] == "FAILED" and told["failure"]["reason"] == "Too slow."


def test_who_was_thought_dead_finds_the_saga_given_up(place, shelve, ask, monkeypatch):
    shelve("book-123", 3)
    charge = MockGateway.charge

    def charge_too_slowly(self, key, **kwargs):
        lease(-1)
        assert ask("give_up", Payment.objects.get().order_id, "It hangs.").status_code == 200
        return charge(self, key, **kwargs)

    monkeypatch.setattr(MockGateway, "charge", charge_too_slowly)
    assert place(("book-123", 1)).status_code == 202
    saga = SagaInstance.objects.get()
    assert saga.given_up_at and saga.attention == "It hangs." and not saga.is_finished


def test_an_abandoned_saga_can_be_compensated_by_name(ask, doubtful):
    ask("give_up", doubtful, "The bank is bankrupt.")
    told = ask("compensate", doubtful, "Recalled.").json()
    assert (told["status"], told["given_up_at"]) == ("FAILED", None)
    assert end_of(doubtful) == UNDONE


def test_resuming_leaves_what_was_not_abandoned_as_it_is(ask, doubtful):
    told = ask("resume", doubtful)
    assert told.status_code == 202 and told.json()["status"] != "COMPLETED", "it waits, as before"


@pytest.mark.parametrize("verb", ["retry", "compensate", "resume"])
def test_a_command_that_breaks_off_has_the_saga_wait_and_says_why(ask, doubtful, monkeypatch, verb):
    if verb == "resume":
        ask("give_up", doubtful, "The bank is bankrupt.")
    with monkeypatch.context() as misused:
        for method in ("charge", "refund", "lookup", "cancel"):
            misused.setattr(MockGateway, method, fails_with(ProviderMisused("422 key_reused")), raising=False)
        told = ask(verb, doubtful)
    assert told.status_code == 202, told.json()
    assert told.json()["attention"].endswith("in vain. ProviderMisused: see the log")
    saga = SagaInstance.objects.get()
    assert saga.wake_at and saga.lease_until is None and saga.given_up_at is None
    work()
    assert end_of(doubtful) == (UNDONE if verb == "compensate" else BOUGHT)


@pytest.mark.parametrize("verb", ["cancel", "compensate"])
def test_undoing_a_completed_order_that_breaks_off_has_the_saga_wait(ask, place, shelve, monkeypatch, verb):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    with monkeypatch.context() as misused:
        misused.setattr(MockGateway, "refund", fails_with(ProviderMisused("422 key_reused")))
        told = ask(verb, order_id)
    assert (told.status_code, told.json()["status"]) == (202, "COMPENSATION_STARTED")
    assert told.json()["attention"] == "Tried once in vain. ProviderMisused: see the log"
    work()
    assert end_of(order_id) == UNDONE


def test_giving_up_takes_a_reason(ask, doubtful):
    assert ask("give_up", doubtful).json()["errors"][0]["field"] == "reason"
    assert actions() == []


def test_what_has_ended_is_not_given_up(ask, place, shelve):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    told = ask("give_up", order_id, "Whatever.").json()
    assert (told["status"], told["given_up_at"], told["attention"]) == ("COMPLETED", None, None)


@pytest.mark.parametrize("verb", ["cancel", "retry", "compensate", "give_up", "resume"])
def test_a_verb_under_a_key_is_done_and_written_down_once(operator, place, shelve, verb):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    client = signed_in(operator)
    for _ in range(2):
        answer = client.post(f"/saga/{order_id}/{verb}", {"reason": "Once."}, headers={"Idempotency-Key": "key"})
        assert answer.status_code == 200
    assert len(actions()) == 1


@pytest.fixture
def site(operator):
    client = Client()
    client.force_login(operator)
    return client


def press(site, action, **confirmation):
    """The page that comes when an operator chooses an action for all sagas, or has confirmed it."""
    chosen = [str(pk) for pk in SagaInstance.objects.values_list("pk", flat=True)]
    return site.post(ADMIN, {"action": action, "_selected_action": chosen, **confirmation}, follow=True)


def said(page):
    return [str(message) for message in page.context["messages"]]


def confirm(site, action, reason=""):
    """What the admin says when an operator has all sagas do something."""
    return said(press(site, action, reason=reason, confirmed="yes"))


def test_the_admin_has_every_verb(site, doubtful, operator):
    (told,) = confirm(site, "give_up", "The bank is bankrupt.")
    assert doubtful in told and SagaInstance.objects.get().given_up_at
    assert confirm(site, "resume", "It is not.") == [f"{doubtful} is COMPLETED."]
    assert confirm(site, "retry") == [f"{doubtful} is COMPLETED."]
    assert confirm(site, "cancel") == [f"{doubtful} is FAILED."]
    assert confirm(site, "compensate") == [f"{doubtful} is FAILED."]
    assert [action[0] for action in actions()] == ["give_up", "resume", "retry", "cancel", "compensate"]
    assert {action[1] for action in actions()} == {operator.username}
    page = site.get(f"{ADMIN}{SagaInstance.objects.get().pk}/change/").content.decode()
    assert "The bank is bankrupt." in page and "It is not." in page
    assert end_of(doubtful) == UNDONE


@pytest.mark.parametrize("said_nothing", [{}, {"reason": ""}, {"reason": " "}], ids=str)
@pytest.mark.parametrize(
    ("verb", "reason"),
    [
        ("cancel", "The shop has cancelled the order."),
        ("compensate", "The shop has stopped the order."),
    ],
)
def test_what_the_admin_undoes_without_a_reason_the_shop_has_undone(site, place, shelve, verb, reason, said_nothing):
    shelve("book-123", 3)
    order_id = place(("book-123", 1)).json()["order_id"]
    assert said(press(site, verb, confirmed="yes", **said_nothing)) == [f"{order_id} is FAILED."]
    assert Order.objects.get().cancel_reason == reason and actions()[0][2] == reason


def test_the_admin_says_why_not(site, doubtful):
    lease(60)
    assert confirm(site, "compensate") == [f"{doubtful}: The order's saga is still at work."]


@pytest.mark.parametrize("verb", ["cancel", "retry", "compensate", "give_up", "resume"])
def test_the_admin_asks_before_it_acts(site, doubtful, verb):
    before = SagaInstance.objects.values().get()
    page = press(site, verb)
    shown = page.content.decode()
    assert page.status_code == 200 and actions() == [] and SagaInstance.objects.values().get() == before
    for part in (doubtful, before["saga_type"], before["status"], "1100", CONSEQUENCES[verb], 'name="reason"'):
        assert part in shown
    assert shown.count('name="_selected_action"') == 1


def test_the_admin_keeps_the_reason_and_asks_again_for_one_that_is_needed(site, doubtful):
    assert 'value="The bank is bankrupt."' in press(site, "retry", reason="The bank is bankrupt.").content.decode()
    page = press(site, "give_up", confirmed="yes")
    assert page.status_code == 200 and "This field is required." in page.content.decode()
    assert actions() == [] and SagaInstance.objects.get().given_up_at is None


@pytest.mark.parametrize("verb", ["cancel", "retry", "compensate"])
def test_the_admin_leaves_abandoned_sagas_out(site, ask, doubtful, verb):
    ask("give_up", doubtful, "Paid by bank transfer.")
    before = SagaInstance.objects.values().get()
    assert "It is abandoned: resume it first." in press(site, verb).content.decode()
    assert confirm(site, verb) == [f"{doubtful} was left out. It is abandoned: resume it first."]
    assert SagaInstance.objects.values().get() == before and len(actions()) == 1


@pytest.fixture
def abandoned_late(site, ask, place, shelve, monkeypatch):
    """What an operator has two sagas do in the admin; while it is done to one, `when`, the other is abandoned."""
    shelve("book-123", 3)
    with monkeypatch.context() as down:
        down.setattr(MockGateway, "refund", fails_with(ProviderUnavailable("down")))
        for _ in range(2):
            place(("book-123", 1), shipping_address="999-9999")
    command = bulk.command

    def run(verb, when):
        begun = []

        def abandoning(verb, order_id, *rest):
            begun.append(order_id)
            if len(begun) == 1 and when == "while the first is commanded":
                other = SagaInstance.objects.exclude(order_id=order_id).get().order_id
                ask("give_up", other, "Paid by bank transfer.")
            if len(begun) == 2 and when == "after the last look":
                ask("give_up", order_id, "Paid by bank transfer.")
            return command(verb, order_id, *rest)

        monkeypatch.setattr(bulk, "command", abandoning)
        told = confirm(site, verb)
        return told, SagaInstance.objects.exclude(order_id=begun[0]).get()

    return run


@pytest.mark.parametrize("verb", ["cancel", "retry", "compensate"])
def test_the_admin_leaves_out_what_is_abandoned_while_it_works_on_others(abandoned_late, verb):
    told, saga = abandoned_late(verb, "while the first is commanded")
    assert told[1] == f"{saga.order_id} was left out. It is abandoned: resume it first."
    assert saga.given_up_at and [action[0] for action in actions()] == ["give_up", verb]


@pytest.mark.parametrize("verb", ["retry", "compensate"])
def test_the_admin_drives_nothing_that_is_abandoned_at_the_last_moment(abandoned_late, verb):
    told, saga = abandoned_late(verb, "after the last look")
    assert told[1].startswith(f"{saga.order_id}: ") and "abandoned" in told[1]
    assert saga.given_up_at and saga.status == "COMPENSATION_STARTED"


def test_the_admin_resumes_only_what_was_abandoned(site, doubtful):
    assert confirm(site, "resume") == [f"{doubtful} was left out. It is not abandoned."]
    assert actions() == []


def test_in_the_admin_what_fails_for_one_order_stops_no_other(site, place, shelve, monkeypatch, lines):
    shelve("book-123", 3)
    orders = [place(("book-123", 1)).json()["order_id"] for _ in range(3)]
    poisoned = orders[1]
    SagaInstance.objects.filter(order_id=poisoned).update(saga_type="unheard-of")
    told = confirm(site, "cancel")
    assert sorted(told) == sorted(
        [f"{each} is FAILED." for each in orders if each != poisoned]
        + [text for text in told if text.startswith(f"{poisoned}: An unexpected error occurred.")]
    )
    assert any(line["level"] == "error" and "unheard-of" in line.get("exception", "") for line in lines())


def test_the_admin_takes_so_many_sagas_at_once_as_can_be_read(site, doubtful, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_AT_ONCE", 0)
    assert confirm(site, "retry") == ["Select at most 0 at once."]
    assert actions() == []
