"""The management commands."""

import json
import os
import subprocess
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from knox.models import get_token_model
from rest_framework.test import APIClient

from inventory.models import Book, InventoryRecord, Reservation, StockEvent
from orders.models import Customer, Mail, MailStatus
from tests.committed import reserve_stock
from tests.conftest import available, order_snapshot
from tests.processes import ROOT, database_url


def run(name, *args, **options):
    out = StringIO()
    call_command(name, *args, stdout=out, **options)
    return out.getvalue()


def test_seed_fills_the_shop_once(transactional_db):
    first = run("seed", demo_users=True)
    assert first.count("password") == 3
    shelves = {record.pk: record for record in InventoryRecord.objects.select_related("book")}
    assert {code: (shelf.book.title, shelf.book.price, shelf.on_hand) for code, shelf in shelves.items()} == {
        "book-123": ("クラウド設計パターン集", 3500, 5),
        "book-456": ("限定版アートブック", 8000, 0),
        "book-789": ("プログラミング入門", 2800, 10),
        "product_001": ("ノートPC", 80000, 10),
    }
    assert Customer.objects.get(pk="customer-001").user.username == "tanaka"
    assert Customer.objects.get(pk="customer-002").name == "佐藤花子"
    reserve_stock(order_snapshot(("book-123", 2)))
    assert "password" not in run("seed", demo_users=True)
    assert (Book.objects.count(), available("book-123")) == (4, 3)


def test_seed_creates_users_only_on_request(transactional_db):
    assert "password" not in run("seed")
    assert Customer.objects.get(pk="customer-001").user is None


def test_seed_creates_a_large_shop_with_its_ledger(transactional_db):
    run("seed", books=1500, customers=20, copies=7)
    run("seed", books=1501, customers=20, copies=7)
    assert (Book.objects.count(), Customer.objects.count()) == (1505, 22)
    assert available("made-up-0001501") == 7
    assert StockEvent.objects.filter(shelf="made-up-0000001").count() == 1


def test_issue_token_prints_only_a_valid_token(customer):
    token = run("issue_token", customer.user.username)
    assert token == f"{token.strip()}\n"
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token.strip()}")
    assert client.get("/orders").status_code == 200
    assert not get_token_model().objects.filter(digest=token.strip()).exists()
    with pytest.raises(CommandError):
        run("issue_token", "nobody")


def test_issue_token_replaces_the_users_other_tokens_on_request(customer, operator):
    for replaces, left in [(False, 1), (False, 2), (True, 1)]:
        run("issue_token", customer.user.username, replace=replaces)
        run("issue_token", operator.username)
        assert get_token_model().objects.filter(user=customer.user).count() == left
    assert get_token_model().objects.filter(user=operator).count() == 3


def test_expire_reservations_expires_reservations_in_batches(shelve):
    shelve("book-123", 10)
    for _ in range(5):
        reserve_stock(order_snapshot(("book-123", 1)))
    expired = list(Reservation.objects.order_by("pk")[:3])
    Reservation.objects.filter(pk__in=[hold.pk for hold in expired]).update(expires_at="2020-01-01T00:00Z")
    assert run("expire_reservations", batch=2).startswith("3 ")
    assert run("expire_reservations").startswith("0 ")
    assert InventoryRecord.objects.get().reserved == 2
    assert StockEvent.objects.filter(type="ReservationExpired").count() == 3


def test_the_demo_has_the_same_results_in_both_styles_and_can_be_repeated(transactional_db):
    for _ in range(2):
        output = run("demo")
        left = output[output.index("What is left") :]
        assert left.count("2 on the shelf, 0 reserved") == 2
        assert left.count("money kept: ¥17,710") == 2
        assert left.count("parcels arranged: 3") == 2
    assert "COMPENSATION_STARTED" in output and "PaymentRefunded" in output
    assert Mail.objects.filter(status=MailStatus.SENT).count() == 2 * 2 * 6


def test_the_demo_refuses_to_play_in_the_shop_of_somebody_else(customer):
    with pytest.raises(CommandError, match="There is a shop in this database"):
        run("demo")
    assert not Book.objects.exists()


@pytest.mark.slow
@pytest.mark.any_database
def test_make_demo_plays_in_a_shop_of_its_own(customer, shelve, tmp_path):
    shelve("book-123", 5)
    before = rows_of_every_table()
    mine = {"DATABASE_URL": database_url(), "EMAIL_URL": "smtp://127.0.0.1:1", "ALLOW_MAGIC_TOKENS": "false"}
    environment = {**os.environ, **mine, "TMPDIR": str(tmp_path), "COLUMNS": "150"}
    done = subprocess.run([ROOT / "bin" / "demo"], env=environment, capture_output=True, text=True, check=True)
    story = done.stdout[done.stdout.index("Out of stock, seen by the saga") :]
    story = story[: story.index("Payment declined")]
    for part in ("OrderCreated", "StockUnavailable", "PaymentCancelled", "We could not complete your order"):
        assert part in story
    assert "在庫がな" in story
    assert rows_of_every_table() == before
    assert list(tmp_path.iterdir()) == []


def rows_of_every_table():
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        return {table: cursor.execute(f"SELECT * FROM {table}").fetchall() for table in tables}  # noqa: S608


def test_add_stock_adds_copies_and_show_stock_shows_them(shelve):
    shelve("book-123", 0)
    shelve("book-456", 3)
    for _ in range(2):
        output = run("add_stock", "book-123", "7", reason="second print", reference="d-1")
    assert output == "book-123: 7 on hand, 7 available\n"
    assert json.loads(run("add_stock", "book-123", "1", json=True))["total_quantity"] == 8
    lines = [json.loads(line) for line in run("show_stock", json=True).splitlines()]
    assert [(line["book_id"], line["available_quantity"]) for line in lines] == [("book-123", 8), ("book-456", 3)]
    shown = run("show_stock", "book-456")
    assert "book-456" in shown and "book-123" not in shown
    assert StockEvent.objects.filter(actor="add_stock", reason="second print").count() == 1


def test_add_stock_creates_a_book_with_its_first_copies(transactional_db):
    new = {"create": True, "title": "分散システム入門", "price": 4200}
    for total in (3, 6):
        assert json.loads(run("add_stock", "book-321", "3", json=True, **new))["total_quantity"] == total
    run("add_stock", "book-321", "1", create=True, title="Another title", price=1)
    book = Book.objects.get()
    assert (book.pk, book.title, book.price, available("book-321")) == ("book-321", "分散システム入門", 4200, 7)


@pytest.mark.parametrize(
    ("book", "copies", "values"),
    [
        ("book-1", 1, {"title": "No price"}),
        ("book-1", 1, {"price": 5}),
        ("book-1", 1, {"title": "Free", "price": 0}),
        ("reserve", 1, {"title": "Reserve", "price": 5}),
        ("book-1", 10**10, {"title": "Too many", "price": 5}),
    ],
)
def test_add_stock_creates_nothing_from_wrong_values(transactional_db, book, copies, values):
    with pytest.raises(CommandError):
        run("add_stock", book, str(copies), create=True, **values)
    assert not Book.objects.exists()


@pytest.mark.parametrize(
    "command", [["add_stock", "none", "1"], ["add_stock", "book-123", "0"], ["show_stock", "book-123", "none"]]
)
def test_a_refused_command_ends_with_an_error(shelve, command):
    shelve("book-123", 1)
    with pytest.raises(CommandError):
        call_command(*command)
