from django.urls import path

from payments.views import PaymentDetail

urlpatterns = [path("payments/<uuid:order_id>", PaymentDetail.as_view(), name="payment")]
