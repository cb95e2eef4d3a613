"""Every problem code of the API: its HTTP status, and what a client should do about it.

What a code means is the docstring of the error class that has the code. Only a code of no class, or of several, has a
`meaning` here.
"""

from functools import cache

from cloudmart.api.catalogue import domain, http
from cloudmart.kernel.errors import DomainError

CATALOGUE = {**domain.PROBLEMS, **http.PROBLEMS}


def sentences() -> set[str]:
    """Returns what problems say, for the translators."""
    meanings = {kind.meaning for kind in CATALOGUE.values()} | {each.meaning() for each in DomainError.subclasses()}
    return {kind.advice for kind in CATALOGUE.values()} | meanings - {""}


@cache
def meaning_of(code: str) -> str:
    """Returns the sentence that says what the code means."""
    return CATALOGUE[code].meaning or next(each for each in DomainError.subclasses() if each.code == code).meaning()
