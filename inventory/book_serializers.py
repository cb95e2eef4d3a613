"""Requests and responses of the catalogue."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from cloudmart.api.examples import response_example
from cloudmart.api.fields import CodeField, StrictIntegerField, StrictSerializer, TextField, text_schema
from cloudmart.database.fields import CODE, DOT_SEGMENTS, IsNot
from cloudmart.kernel.money import HIGHEST_PRICE
from inventory import examples
from inventory.models import COMMANDS, Book
from inventory.serializers import MOST_AT_ONCE
from inventory.stock import MOST_COPIES
from inventory.stock_serializers import THRESHOLD_HELP

RESERVED = (*DOT_SEGMENTS, *COMMANDS)
LONGEST_TITLE = 300


@extend_schema_field(text_schema(CODE, **{"not": {"enum": list(RESERVED)}}))
class NewCodeField(CodeField):
    """The code of a new book, which is part of paths."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validators=[IsNot(*RESERVED)], **kwargs)


class PriceField(StrictIntegerField):
    def __init__(self, **kwargs: Any) -> None:
        help_text = "Minor units of the shop's currency"
        super().__init__(min_value=1, max_value=HIGHEST_PRICE, help_text=help_text, **kwargs)


class ThresholdField(StrictIntegerField):
    """The available copies of a book at which its stock is low."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=MOST_COPIES, allow_null=True, help_text=THRESHOLD_HELP, **kwargs)


class StrictBooleanField(serializers.BooleanField):
    """A JSON `true` or `false`: no string, no number."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_serializer(examples=examples.NEW_BOOKS)
class NewBookInput(StrictSerializer):
    book_id = NewCodeField()
    title = TextField(max_length=LONGEST_TITLE)
    price = PriceField()
    quantity = StrictIntegerField(
        min_value=0, max_value=MOST_AT_ONCE, required=False, default=0, help_text="Copies that are there already"
    )
    low_stock_threshold = ThresholdField(required=False, default=None)


@extend_schema_serializer(examples=examples.BOOK_CHANGES)
class BookChangesInput(StrictSerializer):
    title = TextField(max_length=LONGEST_TITLE, required=False)
    price = PriceField(required=False)
    archived = StrictBooleanField(required=False, help_text="True: the shop no longer sells it")
    low_stock_threshold = ThresholdField(required=False)


class BookOutput(serializers.ModelSerializer[Book]):
    book_id = serializers.CharField(source="id")
    currency = serializers.SerializerMethodField()

    class Meta:
        model = Book
        fields = ["book_id", "title", "price", "currency", "archived"]

    def get_currency(self, book: Book) -> str:
        return str(settings.CURRENCY)


@extend_schema_serializer(examples=[response_example("A book", examples.BOOK_EXAMPLE)])
class OperatorBookOutput(BookOutput):
    """A book. Its `low_stock_threshold` is for operators only."""

    low_stock_threshold = serializers.IntegerField(required=False, allow_null=True, help_text=THRESHOLD_HELP)

    class Meta(BookOutput.Meta):
        fields = [*BookOutput.Meta.fields, "low_stock_threshold"]
