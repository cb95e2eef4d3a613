"""Prepared statements do what the ORM does with the same querysets and rows."""

import gc
import re
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID
from weakref import ref
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from knox.models import get_token_model

from cloudmart.database.clock import READ_AT, DatabaseNow
from cloudmart.database.prepared import ROWS, DeleteEach, Insert, Select, Update, UpdateEach
from cloudmart.kernel.ids import new_id
from cloudmart.models import IdempotencyKey
from inventory.models import Book, InventoryRecord, StockEvent
from orders.models import Customer, Order, OrderItem
from orders.price_rules import Discount
from sagas.models import Event, SagaInstance
from tests.emptying import PRICE_RULES
from tests.factories import BookFactory, CustomerFactory

OURS = ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas")
MODELS = [model for app in OURS for model in apps.get_app_config(app).get_models()]
OTHERWISE = {Discount: "amount_off"}
"""Columns that have a value only if another, which may be NULL too, has none."""
THEN = datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.fixture
def without_foreign_keys(transactional_db):
    """A transaction that is rolled back, in empty tables whose rows may refer to rows that do not exist."""
    with transaction.atomic(), connection.constraint_checks_disabled():
        for model in PRICE_RULES:
            model._default_manager.all().delete()
        yield
        transaction.set_rollback(True)


def filled(model: type[models.Model], number: int) -> models.Model:
    """A row in which every column has a value but those of OTHERWISE."""
    row = model()
    for field in model._meta.concrete_fields:
        if field is not model._meta.auto_field and field.name != OTHERWISE.get(model):
            setattr(row, field.attname, example(field, number))
    return row


def example(field: Any, number: int) -> Any:
    if field.remote_field:
        return example(field.target_field, number)
    if isinstance(field, models.DateTimeField):
        return THEN + timedelta(microseconds=number + field.creation_counter)  # in the order of the columns
    if isinstance(field, models.DateField):
        return THEN.date() + timedelta(days=number)
    if isinstance(field, models.UUIDField):
        return UUID(int=number)
    if isinstance(field, models.JSONField):
        return {"text": "本 %s ' \" \\", "number": number, "list": [None, True, 1.5]}
    if isinstance(field, models.BooleanField):
        return True
    if isinstance(field, models.CharField | models.TextField):
        return field.choices[0][0] if field.choices else f"{number}"
    return number


def nulled(model: type[models.Model], number: int) -> models.Model:
    """A row in which every column that may be NULL is, but those of OTHERWISE."""
    row = filled(model, number)
    for field in model._meta.concrete_fields:
        if field.null:
            setattr(row, field.attname, example(field, number) if field.name == OTHERWISE.get(model) else None)
    return row


def stored(row: models.Model) -> dict[str, Any]:
    """The columns of a row that its instance decides."""
    names = [field.attname for field in row._meta.concrete_fields if type(field).__name__ != "DatabaseTimeField"]
    return {name: getattr(row, name) for name in names}


@pytest.mark.parametrize("make", [filled, nulled])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_inserted_and_selected_as_by_the_orm(without_foreign_keys, model, make):
    row = make(model, 7)
    Insert(model)(row)
    by_orm = model._base_manager.get()
    assert stored(by_orm) == stored(row) | {model._meta.pk.attname: by_orm.pk}
    (selected,) = Select(lambda pk: model._base_manager.filter(pk=pk))(pk=by_orm.pk)
    assert stored(selected) == stored(by_orm)
    assert (selected._state.adding, selected._state.db, row._state.adding) == (False, "default", False)


@pytest.mark.parametrize(
    "model", [model for model in MODELS if model is not StockEvent], ids=lambda model: model.__name__
)
def test_every_column_is_updated_and_matched_as_by_the_orm(without_foreign_keys, model):
    row = filled(model, 7)
    assert Insert(model).unless_exists(row)
    new = stored(filled(model, 8))
    new.pop(model._meta.pk.attname)
    assert Update(lambda pk: model._base_manager.filter(pk=pk))(pk=row.pk).set(**new) == 1
    assert stored(model._base_manager.get()).items() >= new.items()
    for name, value in new.items():
        if model._meta.get_field(name).get_internal_type() != "JSONField":
            match = Select(lambda name=name, **where: model._base_manager.filter(**where))
            assert len(match(**{name: value})) == 1, name


def test_the_sql_is_that_of_the_orm(customer):
    condition = Q(cancel_reason__isnull=False) | Q(deadline_at__lte=DatabaseNow())

    def rows(order_id: Any, status: Any) -> Any:
        return SagaInstance.objects.filter(order_id=order_id, status__in=status).exclude(condition)

    columns = {"status": "FAILED", "wake_at": None, "fence": F("fence") + 1, "updated_at": DatabaseNow()}
    with CaptureQueriesContext(connection) as queries:
        rows(new_id(), ["STARTED", "FAILED"]).update(**columns)
        Update(rows)(order_id=new_id(), status=["STARTED", "FAILED"]).set(**columns)
        list(rows(new_id(), ["STARTED"]))
        Select(rows)(order_id=new_id(), status=["STARTED"])
    by_orm_update, update, by_orm_select, select = (shape_of_sql(query["sql"]) for query in queries)
    assert update == by_orm_update.replace("= NULL", "= %s")
    assert select == by_orm_select


def shape_of_sql(sql: str) -> str:
    """The statement without its values, and without parentheses around one."""
    sql = re.sub(r"'[^']*'|(?<=[=(, ])\b[0-9a-f]{32}\b|\bNULL\b(?=,| WHERE)", "%s", sql)
    return re.sub(r"= \(?%s\)?", "= %s", sql)


def test_an_expression_and_a_value_are_different_shapes(customer):
    order = Order(customer=customer)
    move = Update(lambda pk: Order.objects.filter(pk=pk))
    Insert(Order)(order)
    assert move(pk=order.pk).set(created_at=THEN) == 1
    assert Order.objects.get().created_at == THEN
    assert move(pk=order.pk).set(created_at=Greatest(Coalesce("updated_at", DatabaseNow()), DatabaseNow())) == 1
    assert Order.objects.get().created_at > THEN
    assert move(pk=order.pk).set(created_at=THEN, region="JP") == 1
    assert (Order.objects.get().created_at, Order.objects.get().region) == (THEN, "JP")


def test_a_time_in_another_zone_is_stored_in_utc(customer):
    then = datetime(2026, 3, 1, 8, 59, 59, 999999, tzinfo=ZoneInfo("Asia/Tokyo"))
    Insert(Order)(Order(customer=customer, created_at=then))
    assert Order.objects.get().created_at == THEN
    assert len(Select(lambda then: Order.objects.filter(created_at=then))(then=then)) == 1


def test_none_is_compared_by_is_null(transactional_db):
    Insert(IdempotencyKey)(filled(IdempotencyKey, 1), nulled(IdempotencyKey, 2))
    find = Select(lambda order_id: IdempotencyKey.objects.filter(order_id=order_id))
    assert [key.scope for key in find(order_id=UUID(int=1))] == ["1"]
    assert [key.scope for key in find(order_id=None)] == ["2"]


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_lists_of_any_length_are_matched_also_across_relations(transactional_db, kind):
    books = BookFactory.create_batch(3)
    Insert(InventoryRecord)(*(InventoryRecord(book=book) for book in books))
    by_pk = Select(lambda codes: InventoryRecord.objects.filter(pk__in=codes).order_by("pk"))
    by_book = Select(lambda codes: InventoryRecord.objects.filter(book__in=codes).order_by("pk"))
    by_title = Select(lambda titles: InventoryRecord.objects.filter(book__title__in=titles).order_by("pk"))
    for number in range(4):
        some = books[:number]
        expected = sorted(book.pk for book in some)
        assert [row.pk for row in by_pk(codes=kind(book.pk for book in some))] == expected
        assert [row.pk for row in by_book(codes=kind(book.pk for book in some))] == expected
        assert [row.pk for row in by_title(titles=kind(book.title for book in some))] == expected
    update = Update(lambda codes: InventoryRecord.objects.filter(pk__in=codes))
    assert [update(codes=kind(book.pk for book in books[:n])).set(on_hand=n) for n in range(4)] == [0, 1, 2, 3]


def test_related_rows_come_with_the_row_or_are_missing_with_it(transactional_db):
    customer, stranger = CustomerFactory(), CustomerFactory(user=None)
    find = Select(lambda pk: Customer.objects.select_related("user").filter(pk=pk))
    find_token = Select(
        lambda digest: get_token_model().objects.select_related("user__customer").filter(digest=digest)
    )
    token, _ = get_token_model().objects.create(user=customer.user)
    with CaptureQueriesContext(connection) as queries:
        assert find.first(pk=customer.pk).user == customer.user
        assert find.first(pk=stranger.pk).user is None
        assert find_token.first(digest=token.digest).user.customer == customer
        assert find.first(pk="nobody") is None
    assert len(queries) == 4


def test_deferred_columns_and_annotations_are_as_by_the_orm(transactional_db):
    event = Event(aggregate_id=new_id(), seq=1, event_type="OrderCreated", payload={"a": 1})
    Insert(Event)(event)
    find = Select(lambda pk: Event.objects.filter(pk=pk).defer("payload").annotate(**READ_AT))
    (found,) = find(pk=event.pk)
    assert found.get_deferred_fields() == {"payload"}
    assert found.read_at >= found.timestamp
    assert found.payload == {"a": 1}
    pairs = Select(lambda seq: Event.objects.filter(seq=seq).values_list("event_type", "id"))
    assert pairs(seq=1) == [("OrderCreated", event.pk)]


def test_a_row_has_the_number_that_the_database_has_chosen(transactional_db, without_foreign_keys):
    item = filled(OrderItem, 1)
    assert Insert(OrderItem).unless_exists(item)
    assert item.pk == OrderItem.objects.get().pk
    Insert(OrderItem)(filled(OrderItem, 2), filled(OrderItem, 3))
    assert OrderItem.objects.count() == 3


def test_several_rows_are_one_statement_and_each_stores_its_own_columns(transactional_db):
    books = BookFactory.build_batch(30)
    with CaptureQueriesContext(connection) as queries:
        Insert(Book)(*books)
        for number, book in enumerate(books, start=1):
            book.price, book.title = number, f"Book {number}"
        UpdateEach(Book, "price", "title")(*books)
        UpdateEach(Book, "price")(*books[:1])
        UpdateEach(Book, "price")()
    assert len(queries) == 3
    assert dict(Book.objects.values_list("title", "price")) == {f"Book {number}": number for number in range(1, 31)}


def test_rows_are_deleted_one_by_one(transactional_db):
    books = BookFactory.create_batch(4)
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        DeleteEach(Book)(*books[:3], books[0])
    assert [query["sql"].split()[0] for query in queries if "books" in query["sql"]] == ["DELETE"] * 4
    assert Book.objects.get() == books[3]


@pytest.mark.parametrize(("rows", "statements"), [(ROWS, 1), (ROWS + 1, 2)])
def test_a_statement_inserts_a_limited_number_of_rows(transactional_db, rows, statements):
    with CaptureQueriesContext(connection) as queries:
        Insert(Book)(*BookFactory.build_batch(rows))
    assert len(queries) == statements
    assert Book.objects.count() == rows


def test_more_rows_than_the_database_takes_parameters_are_inserted(transactional_db):
    Insert(Book)(*BookFactory.build_batch(1200))
    assert Book.objects.count() == 1200


def test_of_many_rows_with_a_duplicate_none_is_inserted(transactional_db):
    book = BookFactory()
    with transaction.atomic():
        assert not Insert(Book).unless_exists(*BookFactory.build_batch(1200), BookFactory.build(pk=book.pk))
        assert Insert(Book).unless_exists(*BookFactory.build_batch(1200))
    assert Book.objects.count() == 1201


def test_only_a_duplicate_counts_as_existing(transactional_db):
    insert, book = Insert(Book), BookFactory.build(price=5)
    with transaction.atomic():
        assert insert.unless_exists(book)
        assert not insert.unless_exists(BookFactory.build(pk=book.pk, price=6))
        assert not insert.unless_exists(BookFactory.build(), BookFactory.build(pk=book.pk))
        with pytest.raises(IntegrityError), transaction.atomic():
            insert.unless_exists(BookFactory.build(price=0))
    assert Book.objects.get().price == 5


def test_errors_are_those_of_django(transactional_db):
    book = BookFactory()
    with pytest.raises(IntegrityError):
        Insert(Book)(BookFactory.build(pk=book.pk))
    with pytest.raises(IntegrityError):
        Update(lambda pk: Book.objects.filter(pk=pk))(pk=book.pk).set(price=0)


def test_statements_are_seen_by_execute_wrappers_and_the_query_log(transactional_db):
    seen = []

    def note(execute, sql, params, many, context):
        seen.append((sql.split()[0], params))
        return execute(sql, params, many, context)

    book = BookFactory.build(id="a", title="A", price=1)
    with CaptureQueriesContext(connection) as queries, connection.execute_wrapper(note):
        Insert(Book)(book)
        Update(lambda pk: Book.objects.filter(pk=pk))(pk="a").set(price=2)
        Select(lambda pk: Book.objects.filter(pk=pk))(pk="a")
    assert [verb for verb, _ in seen] == ["INSERT", "UPDATE", "SELECT"]
    assert list(seen[1][1]) == [2, "a"]
    assert [query["sql"].split()[0] for query in queries] == ["INSERT", "UPDATE", "SELECT"]


def test_rows_are_locked_only_in_a_transaction(transactional_db):
    lock = Select(lambda pk: Book.objects.select_for_update().filter(pk=pk))
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        assert lock(pk="a") == []
    assert connection.vendor == "sqlite" or queries[0]["sql"].endswith("FOR UPDATE")
    if connection.features.has_select_for_update:
        with pytest.raises(TransactionManagementError):
            lock(pk="a")


@pytest.mark.any_database
def test_what_a_statement_cannot_do_is_refused(transactional_db):
    with pytest.raises(TypeError, match="one table"):
        Update(lambda title: InventoryRecord.objects.filter(book__title=title))(title="A").set(on_hand=1)
    with pytest.raises(TypeError, match="instances"):
        Select(lambda pk: Book.objects.filter(pk=pk).values())(pk="a")
    with pytest.raises(TypeError, match="prefetch"):
        Select(lambda pk: Order.objects.filter(pk=pk).prefetch_related("items"))(pk=new_id())


on_mysql = pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite has no round trips to save")


@on_mysql
def test_the_error_of_a_waiting_statement_is_raised_by_the_next_one_or_by_commit(transactional_db):
    book = BookFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Insert(Book)(BookFactory.build(pk=book.pk))
        with pytest.raises(IntegrityError):
            Select(lambda pk: Book.objects.filter(pk=pk))(pk=book.pk)
        Insert(Book)(BookFactory.build(price=0))
    with pytest.raises(IntegrityError), transaction.atomic():
        Insert(Book)(BookFactory.build(price=0))
    assert Book.objects.get() == book
    assert not connection.in_atomic_block and connection.is_usable()


@on_mysql
def test_the_duplicate_of_an_earlier_statement_is_not_taken_for_one_of_this_row(transactional_db):
    book, new = BookFactory(), BookFactory.build()
    with pytest.raises(IntegrityError), transaction.atomic():
        Insert(Book)(BookFactory.build(pk=book.pk))
        Insert(Book).unless_exists(new)
    assert Book.objects.get() == book


@on_mysql
def test_a_cursor_executes_what_waits_before_its_own_statement(transactional_db):
    update = UpdateEach(Book, "title")
    with transaction.atomic(), connection.cursor() as cursor:
        book = BookFactory.build(title="first")
        Insert(Book)(book)
        cursor.execute("UPDATE books SET title = 'second'")
        book.title = "third"
        update(book)
        cursor.executemany("UPDATE books SET title = CONCAT(title, %s)", [[" a"], [" b"]])
    assert Book.objects.get().title == "third a b"


def test_a_statement_does_not_keep_the_connection_of_the_thread_that_compiled_it(transactional_db):
    select, wrappers = Select(lambda pk: Order.objects.filter(pk=pk)), []

    def compile_and_end():
        select(pk=new_id())
        wrappers.append(ref(connections[DEFAULT_DB_ALIAS]))
        connections.close_all()

    thread = Thread(target=compile_and_end)
    thread.start()
    thread.join()
    gc.collect()
    assert wrappers[0]() is None


@on_mysql
def test_a_transaction_without_statements_sends_nothing(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
        before = int(cursor.fetchone()[1])
        for is_rolled_back in (False, True):
            with transaction.atomic():
                transaction.set_rollback(is_rolled_back)
        cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
        assert int(cursor.fetchone()[1]) == before + 1


@on_mysql
def test_what_waits_is_forgotten_when_the_transaction_is_rolled_back(transactional_db):
    with transaction.atomic():
        Insert(Book)(BookFactory.build())
        transaction.set_rollback(True)
    with transaction.atomic():
        Insert(Book)(BookFactory.build(title="kept"))
    assert Book.objects.get().title == "kept"
