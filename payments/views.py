"""Looking at payments."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics

from payments.models import Payment
from payments.selectors import find_payment
from payments.serializers import PaymentOutput


@extend_schema_view(get=extend_schema(summary="Look at an order's payment"))
class PaymentDetail(generics.RetrieveAPIView[Payment]):
    """GET: the order's newest payment, and what of it went back."""

    serializer_class = PaymentOutput

    def get_object(self) -> Payment:
        return find_payment(self.kwargs["order_id"], self.request.user)
