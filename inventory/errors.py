"""Why the stock room says no."""

from cloudmart.kernel.errors import DomainError


class UnknownBook(DomainError):
    """There is no such book."""

    code = "book_not_found"


class OutOfStock(DomainError):
    """Not enough copies on the shelf."""

    code = "out_of_stock"


class PriceChanged(DomainError):
    """A book's price is not the one that was expected."""

    code = "price_changed"


class ReservationExpired(DomainError):
    """The hold ran out before it was confirmed."""

    code = "reservation_expired"


class HeldTooLong(DomainError):
    """The customer's drafts have held the book for as long as they may."""

    code = "held_too_long"


class ReservationDiffers(DomainError):
    """The order holds another number of copies of this book."""

    code = "reservation_differs"


class ReservationEnded(DomainError):
    """What the order held was given back, has expired or is sold."""

    code = "reservation_ended"


class ReferenceReused(DomainError):
    """Under this reference something else was done to this book's stock."""

    code = "reference_reused"


class TooMuchStock(DomainError):
    """No shelf holds that many copies."""

    code = "too_much_stock"


class StockIsReserved(DomainError):
    """Copies that are held for orders cannot be taken off the shelf."""

    code = "stock_is_reserved"
