"""Reads of orders over HTTP. The commands cross contexts and are in sagas."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics

from cloudmart.api.lists import StaleList
from cloudmart.api.pagination import CursorPages
from orders.filters import OrderFilter
from orders.models import Order
from orders.selectors import find_order, orders_visible_to
from orders.serializers import OrderOutput


@extend_schema_view(get=extend_schema(summary="List orders, newest first"))
class OrderList(StaleList[Order]):
    serializer_class = OrderOutput
    pagination_class = CursorPages
    filterset_class = OrderFilter
    ordering_fields = ("created_at",)

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return orders_visible_to(self.request.user)


class OrderDetail(generics.RetrieveAPIView[Order]):
    serializer_class = OrderOutput

    def get_object(self) -> Order:
        return find_order(self.kwargs["order_id"], self.request.user)
