"""Amounts in the templates of the desk."""

from django import template

from cloudmart.kernel.money import formatted

register = template.Library()


@register.filter
def money(amount: int) -> str:
    """Returns an amount of the shop's currency in the language of the page."""
    return formatted(amount)
