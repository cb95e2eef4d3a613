from django.urls import path

from cloudmart.webhooks.views import (
    Deliveries,
    DisableEndpoint,
    EnableEndpoint,
    Endpoints,
    OneDelivery,
    OneEndpoint,
    ResendDelivery,
    RotateSecret,
    TestEndpoint,
)

ENDPOINT, DELIVERY = "endpoints/<uuid:endpoint_id>", "deliveries/<uuid:delivery_id>"

urlpatterns = [
    path("endpoints", Endpoints.as_view(), name="webhook-endpoints"),
    path(ENDPOINT, OneEndpoint.as_view(), name="webhook-endpoint"),
    path(f"{ENDPOINT}/rotate-secret", RotateSecret.as_view(), name="rotate-webhook-secret"),
    path(f"{ENDPOINT}/enable", EnableEndpoint.as_view(), name="enable-webhook-endpoint"),
    path(f"{ENDPOINT}/disable", DisableEndpoint.as_view(), name="disable-webhook-endpoint"),
    path(f"{ENDPOINT}/test", TestEndpoint.as_view(), name="test-webhook-endpoint"),
    path("deliveries", Deliveries.as_view(), name="webhook-deliveries"),
    path(DELIVERY, OneDelivery.as_view(), name="webhook-delivery"),
    path(f"{DELIVERY}/resend", ResendDelivery.as_view(), name="resend-webhook"),
]
