"""Looking at payments."""

from rest_framework import generics

from payments.models import Payment
from payments.selectors import find_payment
from payments.serializers import PaymentOutput


class PaymentDetail(generics.RetrieveAPIView[Payment]):
    """GET: the order's newest payment, and what of it went back."""

    serializer_class = PaymentOutput

    def get_object(self) -> Payment:
        return find_payment(self.kwargs["order_id"], self.request.user)
