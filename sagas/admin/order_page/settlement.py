"""What an order has come to: money charged and refunded, copies sold and put back, and what is still owed. Pure."""

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cloudmart.kernel.money import formatted
from sagas.admin.order_page.money import Money
from sagas.admin.order_page.stock import Copies
from sagas.operations.standing import Standing


def settlement(standing: Standing, total: int, ordered: int, money: Money, copies: Copies) -> list[str]:
    """Returns sentences on an order of this total and so many copies, computed from its money and stock."""
    return [_money(money), *_stock(copies), *_owed(standing, total, ordered, money, copies)]


def _money(money: Money) -> str:
    values = {"charged": formatted(money.charged), "refunded": formatted(money.refunded)}
    if money.open_charge:
        return _("It is not known yet whether %(amount)s was charged.") % {"amount": formatted(money.open_charge)}
    if money.refunded:
        return _("Charged %(charged)s, refunded %(refunded)s.") % values
    if money.charged:
        return _("Charged %(charged)s.") % values
    return _("Nothing was charged.")


def _stock(copies: Copies) -> Iterator[str]:
    if number := copies.sold:
        yield ngettext("%(number)s copy is sold.", "%(number)s copies are sold.", number) % {"number": number}
    if number := copies.reserved:
        yield ngettext("%(number)s copy is reserved.", "%(number)s copies are reserved.", number) % {"number": number}
    if number := copies.back:
        sentence = ngettext(
            "%(number)s copy is back on the shelf.", "%(number)s copies are back on the shelf.", number
        )
        yield sentence % {"number": number}


def _owed(standing: Standing, total: int, ordered: int, money: Money, copies: Copies) -> Iterator[str]:
    """What a finished order still owes; nothing of any other is due yet."""
    if standing == Standing.COMPLETED:
        owed = list(_owed_by_completed(total, ordered, money, copies))
    elif standing.is_undone:
        owed = list(_owed_by_undone(money, copies))
    else:
        return
    yield from owed or [_("Nothing is owed.")]


def _owed_by_completed(total: int, ordered: int, money: Money, copies: Copies) -> Iterator[str]:
    if money.charged < total:
        yield _("%(amount)s is not charged.") % {"amount": formatted(total - money.charged)}
    if number := ordered - copies.sold:
        yield ngettext(
            "%(number)s copy is not sold as ordered.", "%(number)s copies are not sold as ordered.", abs(number)
        ) % {"number": abs(number)}
    yield from _open_refunds(money)


def _owed_by_undone(money: Money, copies: Copies) -> Iterator[str]:
    if money.net > money.open_refunds:
        amount = formatted(money.net - money.open_refunds)
        yield _("%(amount)s is owed to the customer.") % {"amount": amount}
    if money.open_charge:
        yield _("A charge is open.")
    if number := copies.sold + copies.reserved:
        yield ngettext("%(number)s copy is still held.", "%(number)s copies are still held.", number) % {
            "number": number
        }
    yield from _open_refunds(money)


def _open_refunds(money: Money) -> Iterator[str]:
    if money.open_refunds:
        yield _("The refund of %(amount)s is requested.") % {"amount": formatted(money.open_refunds)}
