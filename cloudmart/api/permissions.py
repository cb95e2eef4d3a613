"""Permissions.

Operators are staff who may view all orders, and with that read everything. Each command needs its own permission
besides, which the model that it acts on declares in `Meta.permissions`. A token has the permissions of its user.
"""

from typing import Any, ClassVar, Self

from django.utils.translation import gettext, gettext_noop
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from cloudmart.kernel.errors import DomainError
from cloudmart.kernel.viewers import VIEW_ORDERS


class PermissionMissing(DomainError, code="permission_denied"):
    """You are not allowed to do that."""


class IsOperator(BasePermission):
    refusals = (PermissionMissing.code,)
    message = gettext_noop("Only operators are allowed to do that.")

    def has_permission(self, request: Request, view: Any) -> bool:
        """Returns False unless the user is staff. Raises PermissionMissing for staff who may not view all orders."""
        if not request.user.is_staff:
            return False
        check_permission(request.user, VIEW_ORDERS)
        return True


class Staff(IsOperator):
    """Allows operators who hold a permission, such as `Staff.with_permission("payments.refund_payment")`."""

    permission: ClassVar[str]

    @classmethod
    def with_permission(cls, permission: str) -> type[Self]:
        return type(cls.__name__, (cls,), {"permission": permission})

    @classmethod
    def note(cls) -> str:
        """Returns the sentence about the permission in the API's description."""
        return f"Needs the permission `{cls.permission}`."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Returns False unless the user is staff. Raises PermissionMissing if staff lack a permission."""
        if not super().has_permission(request, view):
            return False
        check_permission(request.user, self.permission)
        return True


class StaffMayRead(Staff):
    """Allows all operators to read; the permission is needed for the rest."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method in SAFE_METHODS:
            return IsOperator.has_permission(self, request, view)
        return super().has_permission(request, view)


class StaffOrReadOnly(Staff):
    """Allows everybody who is signed in to read; the permission is needed for the rest."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method in SAFE_METHODS:
            return bool(request.user.is_authenticated)
        return super().has_permission(request, view)


def check_staff(user: Any, permission: str) -> None:
    """Raises PermissionMissing unless the user is an operator who holds the permission."""
    if not user.is_staff:
        raise PermissionMissing(IsOperator.message)
    check_permission(user, VIEW_ORDERS)
    check_permission(user, permission)


def check_permission(user: Any, permission: str) -> None:
    """Raises PermissionMissing unless the user holds the permission."""
    if not user.has_perm(permission):
        detail = gettext("You need the permission %(permission)s for that.") % {"permission": permission}
        raise PermissionMissing(detail, permission=permission)
