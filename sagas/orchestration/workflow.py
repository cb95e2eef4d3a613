"""An order's saga, as a table of what each step does and how it is undone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cloudmart.kernel.order import Basket, OrderSnapshot
from cloudmart.providers.operation import RemoteOperation
from inventory import services as inventory
from orders import services as orders
from payments import services as payments
from sagas.models import RETURNED, Direction, State
from shipping import services as shipping


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A step that is one function, run in the saga's transaction.

    `do` checks before it writes: if it raises a DomainError, it has written nothing.
    """

    name: str
    do: Callable[[OrderSnapshot], None]
    undo: Callable[[Basket, str], None] | None = None
    """Takes the order's books with who undoes it, and the reason. None if another step's undo covers it."""
    commands: tuple[str, ...]
    """The names of `do` and, if there is one, of `undo` in the log."""
    reaches: State

    def command(self, direction: Direction) -> str:
        return self.commands[direction == Direction.UNDO]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A step that a provider does, between two transactions."""

    name: str
    do: RemoteOperation[Any, Any]
    undo: RemoteOperation[Any, Any]
    reaches: State

    def command(self, direction: Direction) -> str:
        return (self.undo if direction == Direction.UNDO else self.do).command


Step = Local | Remote
Workflow = tuple[Step, ...]


def complete(order: OrderSnapshot) -> None:
    """Sells the reserved stock, which may be refused, and completes the order."""
    inventory.confirm_stock(order)
    orders.complete_order(order)


CREATE_ORDER = Local(
    name="create_order",
    do=orders.create_order,
    undo=orders.cancel_order,
    commands=("CreateOrder", "CancelOrder"),
    reaches=State.ORDER_CREATED,
)
RESERVE_STOCK = Local(
    name="reserve_stock",
    do=inventory.reserve_stock,
    undo=inventory.release_stock,
    commands=("ReserveStock", "ReleaseStock"),
    reaches=State.STOCK_RESERVED,
)
PROCESS_PAYMENT = Remote(
    name="process_payment", do=payments.charge, undo=payments.refund, reaches=State.PAYMENT_COMPLETED
)
ARRANGE_SHIPPING = Remote(
    name="arrange_shipping", do=shipping.arrange, undo=shipping.cancel, reaches=State.SHIPPING_ARRANGED
)
COMPLETE_ORDER = Local(name="complete_order", do=complete, commands=("CompleteOrder",), reaches=State.COMPLETED)

ORDER_WORKFLOW: Workflow = (CREATE_ORDER, RESERVE_STOCK, PROCESS_PAYMENT, ARRANGE_SHIPPING, COMPLETE_ORDER)


def was_delivered(order: OrderSnapshot) -> None:
    """A returned order was delivered before: its saga no longer goes forward."""


RETURN_WORKFLOW: Workflow = (
    replace(CREATE_ORDER, undo=orders.return_order, commands=("CreateOrder", "ReturnOrder")),
    RESERVE_STOCK,
    PROCESS_PAYMENT,
    Local(
        name="arrange_shipping",
        do=was_delivered,
        undo=shipping.take_back,
        commands=("ArrangeShipping", "TakeBackShipping"),
        reaches=State.SHIPPING_ARRANGED,
    ),
    COMPLETE_ORDER,
)
"""The same order as it is undone once its parcel has come back: the carrier has nothing to cancel."""


def workflow_after(failure: str, workflow: Workflow) -> Workflow:
    """Returns the table by which an order is undone that has failed with this code."""
    return RETURN_WORKFLOW if failure == RETURNED else workflow
