"""Looking at payments; and what operators, or another order system, ask of payments by themselves."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from cloudmart.api.commands import OrderCommand
from cloudmart.api.idempotency import idempotent
from cloudmart.api.permissions import Staff
from cloudmart.api.schema import refuses
from cloudmart.kernel.errors import IllegalMove
from payments import direct
from payments.errors import PaymentDeclined, PaymentDiffers, PaymentNotFound, RefundDiffers, RefundExceedsPayment
from payments.models import Payment, RefundStatus, Status
from payments.selectors import find_payment
from payments.serializers import CancelPaymentInput, PaymentOutput, ProcessInput, RefundInput

UNSETTLED = {Status.PENDING, Status.CANCELLING}


@refuses(PaymentNotFound)
@extend_schema_view(get=extend_schema(summary="Look at an order's payment"))
class PaymentDetail(generics.RetrieveAPIView[Payment]):
    """GET: the order's newest payment, and what of it went back."""

    serializer_class = PaymentOutput

    def get_object(self) -> Payment:
        return find_payment(self.kwargs["order_id"], self.request.user)


class ProcessPayment(OrderCommand):
    permission_classes = [Staff.with_permission("payments.process_payment")]

    @extend_schema(
        summary="Charge an order",
        request=ProcessInput,
        responses={200: PaymentOutput, 202: PaymentOutput},
    )
    @refuses(PaymentDeclined, PaymentDiffers, IllegalMove)
    @idempotent
    def post(self, request: Request) -> Response:
        """For operators. Once for each order. 202: the provider gave no sure answer; send it again."""
        asked = ProcessInput.read(request)
        return told(direct.process(direct.ChargeRequest(**asked), self.guard))


class CancelPayment(OrderCommand):
    permission_classes = [Staff.with_permission("payments.cancel_payment")]

    @extend_schema(
        summary="Drop a charge that was not captured",
        request=CancelPaymentInput,
        responses={200: PaymentOutput, 202: PaymentOutput},
    )
    @refuses(IllegalMove)
    @idempotent
    def post(self, request: Request) -> Response:
        """For operators. An order that was never charged is noted as cancelled, and never will be."""
        asked = CancelPaymentInput.read(request)
        return told(direct.cancel(asked["order_id"], self.guard))


class RefundPayment(OrderCommand):
    permission_classes = [Staff.with_permission("payments.refund_payment")]

    @extend_schema(
        summary="Give money back, all of it or some",
        request=RefundInput,
        responses={200: PaymentOutput, 202: PaymentOutput},
    )
    @refuses(PaymentNotFound, RefundExceedsPayment, RefundDiffers, IllegalMove)
    @idempotent
    def post(self, request: Request) -> Response:
        """For operators. Never more than was captured. Once for each `reference`: name each further refund by its own.

        202: the provider gave no sure answer; send it again.
        """
        asked = RefundInput.read(request)
        return told(direct.refund(direct.PartialRefund(**asked), self.guard))


def told(payment: Payment) -> Response:
    """The payment; 202 while something about it is not settled."""
    waits = payment.status in UNSETTLED or any(each.status == RefundStatus.PENDING for each in payment.refunds.all())
    return Response(PaymentOutput(payment).data, 202 if waits else 200)
