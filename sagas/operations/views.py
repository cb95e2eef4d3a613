"""The operators' commands on sagas, and the status of a saga, over HTTP."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from cloudmart.api.commands import Command, described
from cloudmart.api.deadlines import RespondsAsync, may_respond_async, request_deadline
from cloudmart.api.idempotency import first_of, idempotent
from cloudmart.api.lists import StaleList
from cloudmart.api.long_polling import waits_while
from cloudmart.api.pagination import CursorPages
from cloudmart.api.permissions import IsOperator, Staff
from cloudmart.api.schema import refuses
from cloudmart.kernel.errors import OrderInDoubt
from cloudmart.kernel.viewers import actor_of
from orders.errors import OrderNotFound
from orders.selectors import find_order
from sagas.desk.doubt import naming_order
from sagas.desk.responses import order_response
from sagas.desk.serializers import OrderAndSagaOutput
from sagas.desk.status import saga_status
from sagas.errors import SagaAbandoned, SagaNotFound, SagaRunning
from sagas.models import OperatorCommand, SagaInstance
from sagas.operations.commands import run_command
from sagas.operations.filters import SagaFilter
from sagas.operations.serializers import (
    AbandonInput,
    CancelSagaInput,
    CompensateInput,
    ResumeInput,
    RetryInput,
    ReturnInput,
    SagaOutput,
    SagaStatusOutput,
)
from sagas.selectors import is_unfinished
from shipping.errors import AlreadyShipped, NotDelivered


class SagaCommand(RespondsAsync, Command):
    """Responds with the status of the saga; 202 if it is not finished."""

    command: ClassVar[OperatorCommand]
    output: ClassVar[type[BaseSerializer[Any]]] = SagaStatusOutput
    statuses: ClassVar[tuple[int, ...]] = (200, 202)

    def run(self, request: Request, order_id: UUID) -> Response:
        reason, actor = self.input.read(request)["reason"], actor_of(request.user)
        deadline, first = request_deadline(request), first_of(request)
        with naming_order(order_id):
            saga = run_command(self.command, order_id, actor, reason, deadline, first)
        return self.respond(request, saga, 200 if saga.is_finished else self.statuses[-1])

    def respond(self, request: Request, saga: SagaInstance, status: int) -> Response:
        return Response(SagaStatusOutput(saga_status(saga.order_id, request.user)).data, status)

    post = may_respond_async(idempotent(run))


@described("Cancel an order, as an operator", SagaNotFound, OrderInDoubt, AlreadyShipped)
class CancelSaga(SagaCommand):
    """For operators. As cancelling the order, but responds with the saga."""

    permission_classes = [Staff.with_permission("sagas.cancel_saga")]
    command, input = OperatorCommand.CANCEL, CancelSagaInput


@described("Retry a waiting saga now", SagaNotFound, OrderInDoubt, SagaRunning, SagaAbandoned)
class RetrySaga(SagaCommand):
    """For operators. Calls the provider again, with the same key.

    A finished saga stays as it is. An abandoned one is refused: resume it.
    """

    permission_classes = [Staff.with_permission("sagas.retry_saga")]
    command, input = OperatorCommand.RETRY, RetryInput


@described("Resume an abandoned saga", SagaNotFound, OrderInDoubt, SagaRunning)
class ResumeSaga(SagaCommand):
    """For operators. Resumes the saga in its direction: its order may be charged and sent, or refunded.

    A saga that is not abandoned stays as it is.
    """

    permission_classes = [Staff.with_permission("sagas.resume_saga")]
    command, input = OperatorCommand.RESUME, ResumeInput


@described("Compensate a saga now", SagaNotFound, OrderInDoubt, SagaRunning, AlreadyShipped)
class CompensateSaga(SagaCommand):
    """For operators. Undoes at once what a waiting saga has done, where cancelling it only requests that.

    A saga that compensates already is resumed, a completed one is cancelled, a failed one stays as it is.
    """

    permission_classes = [Staff.with_permission("sagas.compensate_saga")]
    command, input = OperatorCommand.COMPENSATE, CompensateInput


@described("Abandon a saga: stop its retries", SagaNotFound, OrderInDoubt, SagaRunning)
class AbandonSaga(SagaCommand):
    """For operators, if what a saga waits for will never come: a refund that no provider accepts, for instance.

    The saga keeps its state, with the reason as its `attention`. Nothing is undone: what is reserved stays reserved,
    and what is owed stays owed. Resume or compensate it later. A finished saga stays as it is.
    """

    permission_classes = [Staff.with_permission("sagas.abandon_saga")]
    command, input, statuses = OperatorCommand.ABANDON, AbandonInput, (200,)
    post = idempotent(SagaCommand.run)


@described(
    "Return a delivered order", SagaNotFound, OrderNotFound, OrderInDoubt, NotDelivered, SagaRunning, SagaAbandoned
)
class ReturnOrder(SagaCommand):
    """For operators, once the parcel is back. Refunds what is left of the payment, and puts the books into stock.

    The whole order is returned, and only once it was delivered. 202: the order is being undone.
    """

    permission_classes = [Staff.with_permission("sagas.return_order")]
    command, input, output = OperatorCommand.RETURN, ReturnInput, OrderAndSagaOutput

    def respond(self, request: Request, saga: SagaInstance, status: int) -> Response:
        return order_response(find_order(saga.order_id, request.user), saga.status, status)


@extend_schema_view(get=extend_schema(summary="List sagas, newest first"))
class Sagas(StaleList[SagaInstance]):
    """For operators. The states, steps and events of each are under `/saga/{order_id}/status`."""

    permission_classes = [IsOperator]
    serializer_class = SagaOutput
    pagination_class = CursorPages
    filterset_class = SagaFilter
    queryset = SagaInstance.objects.defer("payload")
    ordering_fields = ("id",)
    ordering = ("-id",)

    def paginate_queryset(self, queryset: Any) -> Any:
        return [{"saga": saga, "attention": saga.attention} for saga in super().paginate_queryset(queryset) or []]


class SagaStatus(APIView):
    @extend_schema(summary="Get the status of an order's saga", responses=SagaStatusOutput)
    @refuses(OrderNotFound, SagaNotFound)
    @waits_while(is_unfinished)
    def get(self, request: Request, order_id: UUID) -> Response:
        """The states that it has reached, every step and undo with its attempts, every event.

        With `wait`, the response comes once the saga is finished, or at once if an operator has abandoned it.
        """
        return Response(SagaStatusOutput(saga_status(order_id, request.user)).data)
