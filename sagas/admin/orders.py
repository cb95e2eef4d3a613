"""Orders in the admin, with what the sagas know of them: their list, and the page of one order."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from cloudmart.pages.cells import order_in
from orders.admin import OrderAdmin, RegionFilter
from orders.errors import OrderNotFound
from orders.models import Order
from sagas.admin.batches import BATCH_ACTIONS, ActsOnMany
from sagas.admin.order_list import DayFilter, FailureFilter, OrderList, StandingFilter, customer, standing
from sagas.admin.order_page.page import page_of
from sagas.admin.order_page.records import read_history

PAGE, BODY = "admin/orders/order/page.html", "admin/orders/order/body.html"


@admin.register(Order)
class OrderPageAdmin(ActsOnMany, OrderAdmin):
    """The page of an order is read-only: its buttons lead to commands, which are confirmed on pages of their own."""

    list_display = [order_in("pk"), customer, standing, "total", "saga_style", "created_at"]
    list_display_links = None
    list_filter = [StandingFilter, FailureFilter, DayFilter, "saga_style", "payment_method", RegionFilter]
    order_id_column = "pk"
    actions = BATCH_ACTIONS

    class Media:
        css = {"all": ["sagas/order_page.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[OrderList]:
        return OrderList

    @method_decorator(require_safe)
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Shows the order; to htmx, which refreshes the page, only its body. Raises PermissionDenied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            context = page_of(read_history(UUID(object_id)), request.user)
        except (ValueError, OrderNotFound):
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if "HX-Request" in request.headers:
            return TemplateResponse(request, BODY, context)
        site = self.admin_site.each_context(request)
        return TemplateResponse(
            request,
            PAGE,
            {**site, **context, "opts": self.opts, "original": context["order"], **(extra_context or {})},
        )
