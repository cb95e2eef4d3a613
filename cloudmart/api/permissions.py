"""Who may do what."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from cloudmart.api.viewers import sees_everything


class IsOperator(BasePermission):
    """The services' own commands are the operators'."""

    refusals = ("permission_denied",)
    message = "Only operators may do that."

    def has_permission(self, request: Request, view: Any) -> bool:
        return sees_everything(request.user)
