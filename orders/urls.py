from django.urls import path

from orders.views import OrderDetail

urlpatterns = [path("orders/<uuid:order_id>", OrderDetail.as_view(), name="order")]
