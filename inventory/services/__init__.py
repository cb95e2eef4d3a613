"""Commands on stock. Each runs in its caller's transaction, locks the stock it changes, and checks before it writes.

A command that raises a DomainError has written nothing.
"""

from inventory.services.catalogue import change_book, create_book, set_low_stock_threshold
from inventory.services.drafts import extend_reservations, release_reservations, set_reserved_quantities
from inventory.services.expiry import expire_reservations
from inventory.services.receiving import add_stock, adjust_stock
from inventory.services.reserving import confirm_stock, release_stock, reserve_stock
from inventory.services.splitting import split_book
