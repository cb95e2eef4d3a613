from django.urls import path

from cloudmart.api.permissions import IsOperator
from payments.views import CancelPayment, ProcessPayment, RefundPayment
from sagas.drafts.views import ConfirmOrder, ExtendDraft, Item, Items, OrderOrDraft
from sagas.permissions import IsNotCancelled, IsPlaced, SagaRests
from sagas.views import CancelOrder, CancelSaga, CompensateSaga, GiveUpSaga, Orders, RetrySaga, SagaStatus, StartSaga
from shipping.views import ArrangeShipping, CancelShipping

ALONE = [IsOperator, IsPlaced, SagaRests]
"""Commands of a single service lie here, because they have to wait for the order's saga.

IsPlaced is asked first: a draft's saga begins in the transaction that places it, so one of the two always sees it.
"""
WANTED = [*ALONE, IsNotCancelled]

urlpatterns = [
    path("orders", Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>", OrderOrDraft.as_view(), name="order"),
    path("orders/<uuid:order_id>/items", Items.as_view(), name="items"),
    path("orders/<uuid:order_id>/add_item", Items.as_view(), name="add-item"),
    path("orders/<uuid:order_id>/items/<str:book_id>", Item.as_view(), name="item"),
    path("orders/<uuid:order_id>/extend", ExtendDraft.as_view(), name="extend-draft"),
    path("orders/<uuid:order_id>/confirm", ConfirmOrder.as_view(), name="confirm-order"),
    path("orders/<uuid:order_id>/cancel", CancelOrder.as_view(), name="cancel-order"),
    path("saga/start", StartSaga.as_view(http_method_names=["post", "options"]), name="start-saga"),
    path("payments/process", ProcessPayment.as_view(permission_classes=WANTED), name="process-payment"),
    path("payments/cancel", CancelPayment.as_view(permission_classes=ALONE), name="cancel-payment"),
    path("payments/refund", RefundPayment.as_view(permission_classes=ALONE), name="refund-payment"),
    path("shipping/arrange", ArrangeShipping.as_view(permission_classes=WANTED), name="arrange-shipping"),
    path("shipping/cancel", CancelShipping.as_view(permission_classes=ALONE), name="cancel-shipping"),
    path("saga/<uuid:order_id>/cancel", CancelSaga.as_view(), name="cancel-saga"),
    path("saga/<uuid:order_id>/retry", RetrySaga.as_view(), name="retry-saga"),
    path("saga/<uuid:order_id>/compensate", CompensateSaga.as_view(), name="compensate-saga"),
    path("saga/<uuid:order_id>/give_up", GiveUpSaga.as_view(), name="give-up-saga"),
    path("saga/<uuid:order_id>/status", SagaStatus.as_view(), name="saga-status"),
]
