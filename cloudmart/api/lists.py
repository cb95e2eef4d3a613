"""Lists over HTTP that may be a little old."""

from typing import Any, TypeVar

from django.db.models import Model
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from cloudmart.database.replica import reads_stale

Row = TypeVar("Row", bound=Model)


class StaleList(generics.ListAPIView[Row]):
    """A list that is read from the replica, if there is one. Tokens, users and permissions never are."""

    @reads_stale
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)
