"""Commands on books: `items`, or the short form, which has the members of a single item in its place."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext
from rest_framework.exceptions import ValidationError

from cloudmart.api.aliases import names_of

NEEDED = ("book_id", "quantity")
"""The members that the short form must have."""


def with_items(asked: dict[str, Any], members: Iterable[str], *, is_optional: bool = False) -> dict[str, Any]:
    """Returns the body with `items`, made of those of the `members` that it has.

    Raises ValidationError if it has both or, unless the books are optional, neither.
    """
    short = {name: asked[name] for name in members if name in asked}
    rest = {name: value for name, value in asked.items() if name not in short}
    if "items" in asked and short:
        raise ValidationError({name: [gettext("Give either this or items.")] for name in short})
    if "items" in asked or (is_optional and not short):
        return rest
    if missing := [name for name in NEEDED if name not in short]:
        raise ValidationError({name: [gettext("Give this, or items.")] for name in missing})
    return {**rest, "items": [short]}


def short_form_rule(members: Iterable[str], *, is_optional: bool = False) -> dict[str, Any]:
    """Returns in OpenAPI that a body has either `items` or the short form."""
    book_names, quantity = names_of(NEEDED[0]), NEEDED[1]
    every_name = [name for member in members for name in names_of(member)]
    forms = [{"required": ["items"], **none_of(*every_name)}]
    for name in book_names:
        others = {*book_names} - {name}
        forms.append({"required": [name, quantity], **none_of("items", *sorted(others))})
    if is_optional:
        forms.append(none_of("items", *every_name))
    return {"oneOf": forms}


def none_of(*names: str) -> dict[str, Any]:
    """Returns in OpenAPI that an object has none of these members."""
    return {"not": {"anyOf": [{"required": [name]} for name in names]}}
