"""The trace of an order that its request finishes, with both providers over HTTP."""

from orders.models import SagaStyle

CLIENTS_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{CLIENTS_TRACE}-00f067aa0ba902b7-01"

TREES = {
    SagaStyle.ORCHESTRATION: """
POST /orders
  drive orchestration
    transaction Orchestrator.open
      do create_order
      do reserve_stock
      do process_payment
    call ProcessPayment
      ProcessPayment
        POST
    transaction Orchestrator.advance
      settle process_payment
      do arrange_shipping
    call ArrangeShipping
      ArrangeShipping
        POST
    transaction Orchestrator.advance
      settle arrange_shipping
      do complete_order
""".strip().splitlines(),
    SagaStyle.CHOREOGRAPHY: """
POST /orders
  drive choreography
    transaction Choreography.open
      inventory.reserve_when_order_created
      payments.charge_when_order_created
    call ProcessPayment
      ProcessPayment
        POST
    transaction Choreography._act
      settle payments.charge_when_order_created
      shipping.arrange_when_reserved_and_paid
    call ArrangeShipping
      ArrangeShipping
        POST
    transaction Choreography._act
      settle shipping.arrange_when_reserved_and_paid
      shipping.arrange_when_reserved_and_paid
      inventory.confirm_when_shipping_arranged
      orders.complete_when_stock_confirmed
""".strip().splitlines(),
}
