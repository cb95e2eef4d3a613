"""What drf-spectacular makes the description of the API and `/docs` from."""

from pathlib import Path

OPENAPI = {
    "TITLE": "CloudMart",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": (Path(__file__).parent / "description.md").read_text(),
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "AUTHENTICATION_WHITELIST": ["cloudmart.api.authentication.TokenAuthentication"],
    "TAGS": [
        {"name": name}
        for name in ("orders", "books", "inventory", "payments", "shipping", "saga", "webhooks", "server")
    ],
    "GET_LIB_DOC_EXCLUDES": "cloudmart.api.schema.bases",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "cloudmart.api.schema.add_links",
        "cloudmart.webhooks.document.add_headers",
        "cloudmart.api.camel_case_schema.describe_camel_case",
    ],
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "orders.models.Status",
        "SagaStyle": "orders.models.SagaStyle",
        "PaymentStatus": "payments.models.Status",
        "RefundStatus": "payments.models.RefundStatus",
        "ReservationStatus": "inventory.models.Status",
        "ShipmentStatus": "shipping.models.Status",
        "SagaState": "sagas.models.State",
        "StepStatus": "sagas.models.StepStatus",
        "WebhookEventType": "cloudmart.outbox.types.EventType",
        "WebhookEndpointStatus": "cloudmart.webhooks.models.EndpointStatus",
        "WebhookDeliveryStatus": "cloudmart.webhooks.models.DeliveryStatus",
    },
    "WEBHOOKS": "cloudmart.webhooks.document.WEBHOOKS",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "persistAuthorization": True,
        "displayRequestDuration": True,
        "validatorUrl": None,
        "defaultModelsExpandDepth": 0,
    },
}
