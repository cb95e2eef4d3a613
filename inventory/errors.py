"""The errors of the stock."""

from cloudmart.kernel.errors import DomainError


class UnknownBook(DomainError, code="book_not_found"):
    """There is no such book."""


class BookExists(DomainError, code="book_exists"):
    """Another book has this code."""


class BookArchived(DomainError, code="book_archived"):
    """The shop no longer sells this book."""


class OutOfStock(DomainError, code="out_of_stock"):
    """Fewer copies are available than were asked for."""


class PriceChanged(DomainError, code="price_changed"):
    """A book no longer costs what the order expected."""


class ReservationExpired(DomainError, code="reservation_expired"):
    """The reservation has expired."""


class HeldTooLong(DomainError, code="held_too_long"):
    """The customer's drafts have reserved the book for the longest time allowed."""


class ReservationDiffers(DomainError, code="reservation_differs"):
    """The order has reserved another number of copies of this book."""


class ReservationEnded(DomainError, code="reservation_ended"):
    """The order's reservation was released, has expired or is sold."""


class ReferenceReused(DomainError, code="reference_reused"):
    """This reference belongs to another change of the book's stock."""


class TooMuchStock(DomainError, code="too_much_stock"):
    """The stock of a book cannot be that large."""


class StockIsReserved(DomainError, code="stock_is_reserved"):
    """Copies that are reserved for orders cannot be removed from stock."""
