"""When an order's payment and parcel are nobody's to ask for but its saga's."""

from typing import Any
from uuid import UUID

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.serializers import ValidationError

from cloudmart.api.fields import StrictUUIDField
from orders.errors import OrderCancelled, OrderIsDraft
from orders.models import Order, Status
from sagas.errors import SagaRunning
from sagas.models import AT_REST, SagaInstance


class OfTheOrder(BasePermission):
    """Looks at the order that the body names. A body that names none is the view's to refuse."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises why not."""
        named = request.data.get("order_id") if isinstance(request.data, dict) else None
        try:
            order_id = StrictUUIDField().run_validation(named)
        except ValidationError:
            return True
        self.check(order_id)
        return True

    def check(self, order_id: UUID) -> None:
        raise NotImplementedError


class IsPlaced(OfTheOrder):
    """What is settled before the order is placed would be taken for what its saga has done."""

    refusals = (OrderIsDraft.code,)

    def check(self, order_id: UUID) -> None:
        """Raises OrderIsDraft. An order that is not ours passes."""
        if Order.objects.filter(pk=order_id, status=Status.DRAFT).exists():
            raise OrderIsDraft(order_id=str(order_id))


class SagaRests(OfTheOrder):
    """Two drivers of one provider call are not safe, so nobody else asks while a saga is at work."""

    refusals = (SagaRunning.code,)

    def check(self, order_id: UUID) -> None:
        """Raises SagaRunning."""
        if SagaInstance.objects.filter(order_id=order_id).exclude(status__in=AT_REST).exists():
            raise SagaRunning(order_id=str(order_id))


class IsNotCancelled(OfTheOrder):
    """A cancelled order may have no payment and no parcel that says so."""

    refusals = (OrderCancelled.code,)

    def check(self, order_id: UUID) -> None:
        """Raises OrderCancelled. An order that is not ours passes."""
        if Order.objects.filter(pk=order_id, status=Status.CANCELLED).exists():
            raise OrderCancelled("The order was cancelled.", order_id=str(order_id))
