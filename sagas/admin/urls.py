"""The pages of the admin that belong to no single table."""

from django.contrib import admin
from django.urls import URLPattern, path

from sagas.admin.batches import batch_page, new_batch
from sagas.admin.compare import compare
from sagas.admin.find import find
from sagas.admin.order_command import order_command


def pages() -> list[URLPattern]:
    return [
        path("compare/", admin.site.admin_view(compare), name="compare_orders"),
        path("find/", admin.site.admin_view(find), name="find"),
        path("order/<uuid:order_id>/<slug:command>/", admin.site.admin_view(order_command), name="order_command"),
        path("batches/new/<slug:command>/", admin.site.admin_view(new_batch), name="new_batch"),
        path("batches/<uuid:batch_id>/", admin.site.admin_view(batch_page), name="batch"),
    ]
