"""The problem catalogue has one entry for each code, and each meaning stands in one place."""

import pytest

import cloudmart.urls  # noqa: F401, the views load every error class
from cloudmart.api.catalogue import CATALOGUE, meaning_of
from cloudmart.kernel.errors import DomainError

DECLARATIONS = [error for error in DomainError.subclasses() if "code" in vars(error)]
CODES = {error.code for error in DECLARATIONS}


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_code_of_a_domain_error_has_an_entry(code):
    assert code in CATALOGUE


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_the_catalogue_gives_a_meaning_only_where_no_single_class_does(code):
    classes = [error for error in DECLARATIONS if error.code == code]
    assert bool(CATALOGUE[code].meaning) is (len(classes) != 1)


def test_a_code_of_one_class_means_what_its_docstring_says():
    for error in DECLARATIONS:
        assert CATALOGUE[error.code].meaning or meaning_of(error.code) == error.meaning()


def test_no_meaning_stands_twice():
    meanings = [meaning_of(code) for code in CATALOGUE]
    assert len(meanings) == len(set(meanings))
