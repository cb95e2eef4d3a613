"""Searches in the admin: by an exact key, or by how a value begins, one indexed column after another."""

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import ValidationError
from django.db.models import Model, UUIDField
from django.db.models.constants import LOOKUP_SEP
from django.utils.text import get_text_list
from django.utils.translation import gettext

MOST_RELATED = 100
"""Related rows that a key may find."""

SOME_HEX = re.compile("[0-9a-fA-F]{8,31}")
"""The beginning of a UUID, without hyphens: with fewer digits, it would find all rows of a day."""

Lookup = dict[str, Any]


def key_of(model: type[Model], paths: Iterable[str], term: str) -> Lookup | None:
    """Returns the lookup of the first column in which the term finds something.

    The columns are asked in turn: with an OR over several, a database may use none of their indexes.
    """
    lookups = (lookup_of(model, path, term) for path in paths)
    return next((each for each in lookups if each and model._default_manager.filter(**each).exists()), None)


def lookup_of(model: type[Model], path: str, term: str) -> Lookup | None:
    """Returns the lookup of the term in this column; None if it cannot be a value of it.

    A column of a related table is looked up there, and becomes a lookup of the rows found.
    """
    if path.startswith("^"):
        return _of_beginning(model._meta.get_field(path[1:]), term)
    name, _, rest = path.partition(LOOKUP_SEP)
    column: Any = model._meta.get_field(name)
    if rest:
        return _of_related(column, lookup_of(column.related_model, rest, term))
    try:
        return {column.attname: column.to_python(term)}
    except ValidationError:
        return _of_beginning(column, term) if isinstance(column, UUIDField) else None


def _of_beginning(column: Any, term: str) -> Lookup | None:
    """Returns the lookup of the values that begin with the term; None if no value can."""
    if not isinstance(column, UUIDField):
        try:
            return {f"{column.attname}__istartswith": column.to_python(term)}
        except ValidationError:
            return None
    digits = term.replace("-", "")
    if not SOME_HEX.fullmatch(digits):
        return None
    return {f"{column.attname}__range": (UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))}


def _of_related(column: Any, lookup: Lookup | None) -> Lookup | None:
    if not lookup:
        return None
    related = column.related_model._default_manager.filter(**lookup)
    found = list(related.values_list("pk", flat=True)[:MOST_RELATED])
    if len(found) == 1:
        return {column.attname: found[0]}
    return {f"{column.attname}__in": found} if found else None


def described(model: type[Model], paths: Iterable[str]) -> str:
    """Returns what a search takes, for people."""
    exact = _listed([_label(model, path) for path in paths if not path.startswith("^")])
    beginning = _listed([_label(model, path[1:]) for path in paths if path.startswith("^")])
    if exact and beginning:
        text = gettext("Search by an exact %(exact)s, or by the beginning of a %(beginning)s.")
    elif exact:
        text = gettext("Search by an exact %(exact)s.")
    else:
        text = gettext("Search by the beginning of a %(beginning)s.") if beginning else ""
    return text % {"exact": exact, "beginning": beginning}


def _listed(labels: list[str]) -> str:
    return get_text_list(labels, gettext("or"))


def _label(model: type[Model], path: str) -> str:
    fields = get_fields_from_path(model, path)
    names = [str(each.verbose_name) for each in fields]
    return names[-1] if len(names) == 1 or names[-1] not in {"ID", "code"} else names[-2]
