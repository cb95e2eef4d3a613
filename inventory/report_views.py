"""Reports over HTTP, for operators: as JSON, or as CSV with `Accept: text/csv`."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from cloudmart.api.csv_renderer import MEDIA_TYPE, CSVRenderer, Lines
from cloudmart.api.permissions import IsOperator
from cloudmart.database.replica import reads_stale
from inventory.filters import MovementFilter
from inventory.models import StockMovement
from inventory.pages import LaggingPages
from inventory.report_serializers import MovementOutput, ReservationReportOutput
from inventory.reports import LINE_COLUMNS, MOVEMENT_COLUMNS, as_lines, movements, reservation_report

MOST_LINES = 100_000
"""Lines of a CSV response."""

JSON_RENDERERS: list[Any] = [*api_settings.DEFAULT_RENDERER_CLASSES]
RENDERERS = [*JSON_RENDERERS, CSVRenderer]


def as_json_or_csv(output: Any) -> dict[Any, Any]:
    """Returns all forms of a response, for the documentation.

    drf-spectacular takes the view for that of a list, with its parameters, if the first media type has one.
    """
    return {(200, each.media_type): output for each in JSON_RENDERERS} | {(200, MEDIA_TYPE): OpenApiTypes.STR}


class ReservationReport(APIView):
    permission_classes = [IsOperator]
    renderer_classes = RENDERERS

    @extend_schema(
        summary="Count the reservations by status and age", responses=as_json_or_csv(ReservationReportOutput)
    )
    @reads_stale
    def get(self, request: Request) -> Response:
        """For operators. All reservations by age, and the active ones also by the time to their expiry."""
        report = reservation_report()
        if wants_csv(request):
            return Response(Lines(LINE_COLUMNS, as_lines(report)))
        return Response(ReservationReportOutput(report).data)


class MovementReport(generics.ListAPIView[StockMovement]):
    permission_classes = [IsOperator]
    renderer_classes = RENDERERS
    serializer_class = MovementOutput
    pagination_class = LaggingPages
    filterset_class = MovementFilter
    ordering_fields = ("day",)
    ordering = ("-day",)

    def get_queryset(self) -> QuerySet[StockMovement]:
        return movements()

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Orders the books of a day by their code, as the index has them."""
        found = super().filter_queryset(queryset)
        sign = "-" if "-day" in found.query.order_by else ""
        return found.order_by(f"{sign}day", f"{sign}book_id")

    @extend_schema(
        summary="List the stock movements by day and book", responses=as_json_or_csv(MovementOutput(many=True))
    )
    @reads_stale
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """For operators. Copies that were added, sold and so on, by day and book, the last day first.

        A day is one in the shop's time zone (SHOP_TIME_ZONE). `lag` says how far the list is behind. CSV has all lines
        at once, whatever the page.
        """
        if not wants_csv(request):
            return self.list(request, *args, **kwargs)
        rows = self.filter_queryset(self.get_queryset()).values(*MOVEMENT_COLUMNS)
        lines = Lines(MOVEMENT_COLUMNS, rows[: MOST_LINES + 1])
        if len(lines) > MOST_LINES:
            too_many = gettext("More than %(lines)s lines: give a shorter period, or a book.")
            raise ValidationError({"from": [too_many % {"lines": f"{MOST_LINES:,}"}]})
        return Response(lines)


def wants_csv(request: Any) -> bool:
    return isinstance(request.accepted_renderer, CSVRenderer)
