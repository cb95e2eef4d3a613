"""Timelines in the admin: on the page that compares two orders, and on that of a saga."""

from uuid import UUID

import pytest

from cloudmart.kernel.order_numbers import shown
from sagas.models import SagaInstance
from tests.acceptance.test_matrix import named, staff_with

PAGE = "/admin/compare/"


@pytest.fixture
def place(api, shelve):
    """Places an order in a style, and returns its id."""
    shelve("book-123", 9)

    def place(style, **more):
        body = {"book_id": "book-123", "quantity": 1, "payment_method": "credit_card", "saga": style, **more}
        return api.post("/orders", body).json()["order_id"]

    return place


def test_the_newest_orders_of_both_styles_that_ended_alike_are_compared(site, place, django_assert_max_num_queries):
    assert "No story has ended alike" in site.get(PAGE).content.decode()
    for style in ("orchestration", "choreography"):
        place(style)
        failed = place(style, shipping_address="999-9999")
    place("orchestration")
    with django_assert_max_num_queries(20):
        response = site.get(PAGE)
    assert [side.timeline.style for side in response.context["sides"]] == ["orchestration", "choreography"]
    assert [side.timeline.failure for side in response.context["sides"]] == [{}, {}], "those of the newest order"
    stories = dict(response.context["stories"])
    assert list(stories) == ["The order is completed", "The delivery could not be arranged"]
    url = stories["The delivery could not be arranged"]
    chosen = site.get(url)
    assert str(failed) in url
    assert '<span class="desk-badge desk-good">' in response.content.decode()
    steps = {step.name: (step.left, step.right) for step in chosen.context["steps"]}
    assert [bar.status for bar in steps["Ship"]] == ["failed", "failed"]
    assert [len(bar.attempts) for bar in steps["Ship"]] == [3, 3]
    assert all(bar.direction == "undo" for bar in steps["Refund"])


def test_any_two_orders_are_compared_on_one_scale(site, place):
    left, right = place("choreography"), place("choreography")
    response = site.get(PAGE, {"left": shown(UUID(left)), "right": right})
    page = response.content.decode()
    assert [str(side.timeline.order_id) for side in response.context["sides"]] == [left, right]
    assert page.count('<svg class="tl"') == 2 and page.count("sagas/timeline.css") == 1
    ids = [part.split('"')[0] for part in page.split(' id="step-')[1:]]
    assert len(ids) == len(set(ids)) == 10, "each bar has a row of its own"


@pytest.mark.parametrize("style", ["orchestration", "choreography"])
def test_the_page_of_a_saga_has_its_timeline_with_started_and_done_in_one_bar(site, place, style):
    saga = SagaInstance.objects.get(order_id=place(style, shipping_address="999-9999"))
    page = site.get(f"/admin/sagas/sagainstance/{saga.pk}/change/").content.decode()
    assert page.count('<svg class="tl"') == page.count("sagas/timeline.css") == 1
    assert "Ship: failed, 3 attempts" in page and " ms, took " in page


@pytest.mark.parametrize(
    ("name", "problem"),
    [("0000-0000", "There is no such order."), ("<b>", "There is no such order."), ("", "This field is required.")],
)
def test_an_unknown_order_is_said_to_be_unknown(site, place, name, problem):
    response = site.get(PAGE, {"left": name, "right": place("orchestration")})
    assert response.status_code == 200 and problem in response.content.decode()
    assert "sides" not in response.context


def test_an_order_is_not_compared_with_itself(site, place):
    order_id = place("orchestration")
    response = site.get(PAGE, {"left": order_id, "right": shown(UUID(order_id))})
    assert "Choose two different orders." in response.content.decode() and "sides" not in response.context


def test_the_page_is_for_those_who_may_view_orders(client, transactional_db):
    client.force_login(staff_with())
    assert client.get(PAGE).status_code == 403
    client.force_login(staff_with(named("orders.view_order")))
    assert client.get(PAGE).status_code == 200
