"""The errors of the stock."""

from cloudmart.kernel.errors import DomainError


class UnknownBook(DomainError):
    """There is no such book."""

    code = "book_not_found"


class OutOfStock(DomainError):
    """Fewer copies are available than were asked for."""

    code = "out_of_stock"


class PriceChanged(DomainError):
    """A book no longer costs what the order expected."""

    code = "price_changed"


class ReservationExpired(DomainError):
    """The reservation has expired."""

    code = "reservation_expired"


class HeldTooLong(DomainError):
    """The customer's drafts have reserved the book for the longest time allowed."""

    code = "held_too_long"


class ReservationDiffers(DomainError):
    """The order has reserved another number of copies of this book."""

    code = "reservation_differs"


class ReservationEnded(DomainError):
    """The order's reservation was released, has expired or is sold."""

    code = "reservation_ended"


class ReferenceReused(DomainError):
    """This reference belongs to another change of the book's stock."""

    code = "reference_reused"


class TooMuchStock(DomainError):
    """The stock of a book cannot be that large."""

    code = "too_much_stock"


class StockIsReserved(DomainError):
    """Copies that are reserved for orders cannot be removed from stock."""

    code = "stock_is_reserved"
