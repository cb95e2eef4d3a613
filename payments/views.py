"""Reading an order's payment, and the direct commands on it: for operators, or another order system."""

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
@extend_schema_view(get=extend_schema(summary="Read an order's payment"))
class PaymentDetail(generics.RetrieveAPIView[Payment]):
    """GET: the order's payment with its refunds."""

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
        """For operators. An order is charged once. 202: the outcome is not certain yet; send the request again."""
        body = ProcessInput.read(request)
        return response_with(direct.process(direct.ChargeRequest(**body), self.guard))


class CancelPayment(OrderCommand):
    permission_classes = [Staff.with_permission("payments.cancel_payment")]

    @extend_schema(
        summary="Void a charge that was not captured",
        request=CancelPaymentInput,
        responses={200: PaymentOutput, 202: PaymentOutput},
    )
    @refuses(IllegalMove)
    @idempotent
    def post(self, request: Request) -> Response:
        """For operators. An order without a charge gets a cancelled payment, and is never charged."""
        body = CancelPaymentInput.read(request)
        return response_with(direct.cancel(body["order_id"], self.guard))


class RefundPayment(OrderCommand):
    permission_classes = [Staff.with_permission("payments.refund_payment")]

    @extend_schema(
        summary="Refund all or some of a payment",
        request=RefundInput,
        responses={200: PaymentOutput, 202: PaymentOutput},
    )
    @refuses(PaymentNotFound, RefundExceedsPayment, RefundDiffers, IllegalMove)
    @idempotent
    def post(self, request: Request) -> Response:
        """For operators. Never more than was captured. One refund for each `reference`: a further one needs its own.

        202: the outcome is not certain yet; send the request again.
        """
        body = RefundInput.read(request)
        return response_with(direct.refund(direct.PartialRefund(**body), self.guard))


def response_with(payment: Payment) -> Response:
    """The payment; 202 while it or one of its refunds is not settled."""
    pending = any(refund.status == RefundStatus.PENDING for refund in payment.refunds.all())
    return Response(PaymentOutput(payment).data, 202 if pending or payment.status in UNSETTLED else 200)
