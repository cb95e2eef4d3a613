from django.urls import path

from inventory.views import Reserve
from orders.note_views import Notes
from payments.views import CancelPayment, ProcessPayment, RefundPayment
from sagas.desk.draft_views import ConfirmOrder, ExtendDraft, Item, Items, OrderOrDraft
from sagas.desk.ordering_again_views import OrderAgain
from sagas.desk.timeline_views import OrderEvents
from sagas.desk.views import CancelOrder, Orders, StartSaga
from sagas.operations.carrier import CarrierWebhook
from sagas.operations.guards import check_not_cancelled, check_saga_finished
from sagas.operations.views import (
    AbandonSaga,
    CancelSaga,
    CompensateSaga,
    ResumeSaga,
    RetrySaga,
    ReturnOrder,
    Sagas,
    SagaStatus,
)
from shipping.views import ArrangeShipping, CancelShipping

urlpatterns = [
    path("orders", Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>", OrderOrDraft.as_view(), name="order"),
    path("orders/<uuid:order_id>/items", Items.as_view(), name="items"),
    path("orders/<uuid:order_id>/add_item", Items.as_view(), name="add-item"),
    path("orders/<uuid:order_id>/items/<code:book_id>", Item.as_view(), name="item"),
    path("orders/<uuid:order_id>/extend", ExtendDraft.as_view(), name="extend-draft"),
    path("orders/<uuid:order_id>/confirm", ConfirmOrder.as_view(), name="confirm-order"),
    path("orders/<uuid:order_id>/events", OrderEvents.as_view(), name="order-events"),
    path("orders/<uuid:order_id>/cancel", CancelOrder.as_view(), name="cancel-order"),
    path("orders/<uuid:order_id>/return", ReturnOrder.as_view(), name="return-order"),
    path("orders/<uuid:order_id>/order-again", OrderAgain.as_view(), name="order-again"),
    path("orders/<uuid:order_id>/notes", Notes.as_view(), name="order-notes"),
    path("saga", Sagas.as_view(), name="sagas"),
    path("saga/start", StartSaga.as_view(), name="start-saga"),
    # Commands on one context, refused while the order's saga is not finished.
    path("inventory/reserve", Reserve.as_view(guard=check_not_cancelled), name="reserve"),
    path("payments/process", ProcessPayment.as_view(guard=check_not_cancelled), name="process-payment"),
    path("payments/cancel", CancelPayment.as_view(guard=check_saga_finished), name="cancel-payment"),
    path("payments/refund", RefundPayment.as_view(guard=check_saga_finished), name="refund-payment"),
    path("shipping/arrange", ArrangeShipping.as_view(guard=check_not_cancelled), name="arrange-shipping"),
    path("shipping/cancel", CancelShipping.as_view(guard=check_saga_finished), name="cancel-shipping"),
    path("shipping/webhook", CarrierWebhook.as_view(), name="carrier-webhook"),
    path("saga/<uuid:order_id>/cancel", CancelSaga.as_view(), name="cancel-saga"),
    path("saga/<uuid:order_id>/retry", RetrySaga.as_view(), name="retry-saga"),
    path("saga/<uuid:order_id>/compensate", CompensateSaga.as_view(), name="compensate-saga"),
    path("saga/<uuid:order_id>/abandon", AbandonSaga.as_view(), name="abandon-saga"),
    path("saga/<uuid:order_id>/resume", ResumeSaga.as_view(), name="resume-saga"),
    path("saga/<uuid:order_id>/status", SagaStatus.as_view(), name="saga-status"),
]
