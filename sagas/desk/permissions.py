"""Who may change an order."""

from typing import Any
from uuid import UUID

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from cloudmart.api.permissions import Staff, check_staff
from cloudmart.kernel.viewers import customer_id_of
from orders.models import Order
from sagas.models import SagaInstance

FOR_OTHERS = "orders.place_order_for_others"


class OwnerOrStaff(Staff):
    """A command on an order: customers need nothing for their own; staff need a permission for everybody else's."""

    @classmethod
    def note(cls) -> str:
        return f"For another customer's order staff need the permission `{cls.permission}`."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Returns True for any customer: the view finds no order but their own. Raises PermissionMissing."""
        user, order_id = request.user, view.kwargs["order_id"]
        if request.method in SAFE_METHODS or not user.is_staff:
            return bool(user.is_authenticated)
        if not Order.objects.filter(pk=order_id, customer=customer_id_of(user)).exists():
            check_staff(user, self.permission_for(order_id))
        return True

    def permission_for(self, order_id: UUID) -> str:
        return self.permission


class MayCancelOrder(OwnerOrStaff):
    """Cancelling an order. A draft, which has no saga, is cancelled by those who may change it."""

    permission = "sagas.cancel_saga"

    @classmethod
    def note(cls) -> str:
        return f"{super().note()[:-1]}, for a draft `{FOR_OTHERS}`."

    def permission_for(self, order_id: UUID) -> str:
        is_placed = SagaInstance.objects.filter(order_id=order_id).exists()
        return self.permission if is_placed else FOR_OTHERS
