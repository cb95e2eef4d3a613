"""The base classes of views that command one service's part of an order."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_serializer, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloudmart.api.deadlines import RespondsUnfinished
from cloudmart.api.examples import NOTHING
from cloudmart.api.fields import StrictSerializer
from cloudmart.api.idempotency import first_of, idempotent, idempotent_transaction
from cloudmart.api.schema import refuses
from cloudmart.kernel.errors import DomainError, OrderInDoubt
from cloudmart.kernel.viewers import actor_of

View = TypeVar("View", bound=type["Command"])


@extend_schema_serializer(examples=[NOTHING])
class NoInput(StrictSerializer):
    """A command without parameters."""


class Command(APIView):
    """Reads its input, acts on it, and responds with its output."""

    input: ClassVar[type[StrictSerializer]]
    output: ClassVar[type[serializers.BaseSerializer[Any]]]
    act: Callable[..., Any]
    statuses: ClassVar[tuple[int, ...]] = (200,)
    guard: Callable[[UUID], None] = staticmethod(lambda order_id: None)
    """Raises a DomainError if the command is forbidden, and locks what it has read. The URLconf sets it."""


def described(summary: str, *errors: type[DomainError | OrderInDoubt]) -> Callable[[View], View]:
    """Describes a command in the schema, with the errors that it raises."""

    def describe(view: View) -> View:
        responses = dict.fromkeys(view.statuses, view.output)
        schema = extend_schema(summary=summary, request=view.input, responses=responses)
        return refuses(*errors)(extend_schema_view(post=schema)(view))

    return describe


class ProviderCommand(RespondsUnfinished, Command):
    """Calls a provider, and responds with 202 while the outcome is not known.

    `act` takes the input and what its first transaction has to run first; it returns the record of the call.
    """

    statuses = (200, 202)

    @idempotent
    def post(self, request: Request) -> Response:
        asked = self.input.read(request)

        def first() -> None:
            first_of(request)()
            self.guard(asked["order_id"])

        record = self.act(asked, first)
        return Response(self.output(record).data, 200 if record.is_settled else 202)


class TransactionCommand(Command):
    """Is one transaction. `act` takes the input, the actor and the path's parameters; it returns what is shown."""

    @idempotent_transaction
    def post(self, request: Request, **path: Any) -> Response:
        asked = self.input.read(request)
        return Response(self.output(self.act(asked, actor_of(request.user), **path)).data)
