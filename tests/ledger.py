"""The stock ledger, replayed by the tests."""

from inventory.models import StockEvent
from inventory.stock import Stock


def stock_after(changes):
    """Returns the stock that these changes lead to."""
    stock = Stock()
    for change in changes:
        stock = stock.after(change)
    return stock


def replayed_stock(book_id):
    """Returns the stock that the book's events lead to."""
    events = StockEvent.objects.filter(shelf=book_id).order_by("version")
    return stock_after(event.change for event in events)
