"""The paths of the site. Commands that cross contexts are in sagas, queries are in their own context."""

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularSwaggerSplitView

from cloudmart.api.document import SchemaDocument
from cloudmart.api.health import Healthz, Readyz
from cloudmart.api.metrics import Metrics
from cloudmart.api.public_pages import ErrorCatalogue, Start

urlpatterns = [
    path("", Start.as_view(), name="start"),
    path("schema", SchemaDocument.as_view(), name="schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(template_name="cloudmart/docs.html"), name="docs"),
    path("docs/errors", ErrorCatalogue.as_view(), name="errors"),
    path("healthz", Healthz.as_view(), name="healthz"),
    path("readyz", Readyz.as_view(), name="readyz"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("admin/language", set_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("", include("sagas.urls")),
    path("webhooks/", include("cloudmart.webhooks.urls")),
    path("", include("inventory.urls")),
    path("", include("payments.urls")),
    path("", include("shipping.urls")),
]

handler400 = "cloudmart.api.problems.bad_request"
handler404 = "cloudmart.api.problems.not_found"
handler500 = "cloudmart.api.problems.server_error"
