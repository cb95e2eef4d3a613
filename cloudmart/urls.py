"""Every path of the site. Commands that cross contexts come from sagas, queries from their own context."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("sagas.urls")),
    path("", include("orders.urls")),
    path("", include("inventory.urls")),
    path("", include("payments.urls")),
    path("", include("shipping.urls")),
]

handler404 = "cloudmart.api.problems.not_found"
handler500 = "cloudmart.api.problems.server_error"
