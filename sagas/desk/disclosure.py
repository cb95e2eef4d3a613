"""What customers do not read of an order: who did what, and how the shop failed to reach a provider."""

from typing import Any

from django.utils.translation import gettext_lazy as _

NO_RESPONSE = _("The provider could not be reached, or did not respond.")


def for_customers(data: dict[str, Any]) -> dict[str, Any]:
    """Returns the data of an event as customers read it."""
    shown = {name: value for name, value in data.items() if name != "actor"}
    return {**shown, "error": error_for_customers(data["error"], data)} if "error" in data else shown


def error_for_customers(error: str, data: dict[str, Any]) -> str:
    """Returns the error of a step or event with this data. A refusal, whose `detail` it is, stays as it is."""
    return str(NO_RESPONSE) if error and error != data.get("detail") else error
