"""When an order's payment and parcel are its saga's alone."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.serializers import ValidationError

from cloudmart.api.fields import StrictUUIDField
from sagas.errors import SagaRunning
from sagas.models import AT_REST, SagaInstance


class SagaRests(BasePermission):
    """Two drivers of one provider call are not safe, so nobody else asks while a saga is at work."""

    refusals = (SagaRunning.code,)

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises SagaRunning. A body that names no order is the view's to refuse."""
        named = request.data.get("order_id") if isinstance(request.data, dict) else None
        try:
            order_id = StrictUUIDField().run_validation(named)
        except ValidationError:
            return True
        if SagaInstance.objects.filter(order_id=order_id).exclude(status__in=AT_REST).exists():
            raise SagaRunning(order_id=str(order_id))
        return True
