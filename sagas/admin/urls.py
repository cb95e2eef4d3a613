"""The pages of the admin that belong to no single table."""

from django.contrib import admin
from django.urls import URLPattern, path

from sagas.admin.find import find


def pages() -> list[URLPattern]:
    return [
        path("find/", admin.site.admin_view(find), name="find"),
    ]
