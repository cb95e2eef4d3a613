from django.urls import path

from orders.models import SagaStyle
from sagas.views import CancelOrder, CancelSaga, Orders, RetrySaga, SagaStatus

urlpatterns = [
    path("orders", Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>/cancel", CancelOrder.as_view(), name="cancel-order"),
    path(
        "saga/start",
        Orders.as_view(style=SagaStyle.ORCHESTRATION, http_method_names=["post", "options"]),
        name="start-saga",
    ),
    path("saga/<uuid:order_id>/cancel", CancelSaga.as_view(), name="cancel-saga"),
    path("saga/<uuid:order_id>/retry", RetrySaga.as_view(), name="retry-saga"),
    path("saga/<uuid:order_id>/status", SagaStatus.as_view(), name="saga-status"),
]
