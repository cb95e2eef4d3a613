"""Reading an order's payment, and the direct commands on it: for operators, or another order system."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics

from cloudmart.api.commands import ProviderCommand, described
from cloudmart.api.permissions import Staff
from cloudmart.api.schema import refuses
from cloudmart.kernel.errors import IllegalMove
from payments import direct
from payments.errors import PaymentDeclined, PaymentDiffers, PaymentNotFound, RefundDiffers, RefundExceedsPayment
from payments.models import Payment
from payments.selectors import find_payment
from payments.serializers import CancelPaymentInput, PaymentOutput, ProcessInput, RefundInput


@refuses(PaymentNotFound)
@extend_schema_view(get=extend_schema(summary="Read an order's payment"))
class PaymentDetail(generics.RetrieveAPIView[Payment]):
    """GET: the order's payment with its refunds."""

    serializer_class = PaymentOutput

    def get_object(self) -> Payment:
        return find_payment(self.kwargs["order_id"], self.request.user)


@described("Charge an order", PaymentDeclined, PaymentDiffers, IllegalMove)
class ProcessPayment(ProviderCommand):
    """For operators. An order is charged once. 202: the outcome is not certain yet; send the request again."""

    permission_classes = [Staff.with_permission("payments.process_payment")]
    input, output = ProcessInput, PaymentOutput

    def act(self, asked: dict[str, Any], first: Callable[[], None]) -> Payment:
        return direct.process(direct.ChargeRequest(**asked), first)


@described("Void a charge that was not captured", IllegalMove)
class CancelPayment(ProviderCommand):
    """For operators. An order without a charge gets a cancelled payment, and is never charged."""

    permission_classes = [Staff.with_permission("payments.cancel_payment")]
    input, output = CancelPaymentInput, PaymentOutput

    def act(self, asked: dict[str, Any], first: Callable[[], None]) -> Payment:
        return direct.cancel(asked["order_id"], first)


@described("Refund all or some of a payment", PaymentNotFound, RefundExceedsPayment, RefundDiffers, IllegalMove)
class RefundPayment(ProviderCommand):
    """For operators. Never more than was captured. One refund for each `reference`: a further one needs its own.

    202: the outcome is not certain yet; send the request again.
    """

    permission_classes = [Staff.with_permission("payments.refund_payment")]
    input, output = RefundInput, PaymentOutput

    def act(self, asked: dict[str, Any], first: Callable[[], None]) -> Payment:
        return direct.refund(direct.PartialRefund(**asked), first)
