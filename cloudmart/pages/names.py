"""The names of models and fields in the language of the page.

models.py has them in English, as Django takes them; each is replaced by its translation. docs/adr/0030-languages.md.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy

from cloudmart.kernel.choices import TranslatedChoices

APPS = {"cloudmart", "orders", "inventory", "payments", "shipping", "sagas", "knox", "axes"}
"""The apps whose names are in English only."""

NAMES = ("verbose_name", "verbose_name_plural", "help_text")


def translate_names() -> None:
    """Makes the names of apps, models and fields translatable. Migrations do not change: they compare the English."""
    for thing, attribute, name in _names():
        setattr(thing, attribute, gettext_lazy(name))


def translatable_names() -> set[str]:
    """Returns the names in English, with choices and permissions, for the translators."""
    models = [model for config in _configs() for model in config.get_models()]
    choices = [member for each in TranslatedChoices.__subclasses__() for member in each]
    labels = {str(member._label_) for member in choices} | {member.value for member in choices if member.islower()}
    permissions = {name for model in models for _, name in model._meta.permissions}
    return {name for *_, name in _names()} | labels | permissions


def _configs() -> Iterator[AppConfig]:
    return (config for config in apps.get_app_configs() if config.label in APPS)


def _names() -> Iterator[tuple[Any, str, str]]:
    for config in _configs():
        for thing in (config, *_models_and_fields(config)):
            for attribute in NAMES:
                if name := str(getattr(thing, attribute, "")):
                    yield thing, attribute, name


def _models_and_fields(config: AppConfig) -> Iterator[Any]:
    for model in config.get_models():
        yield model._meta
        yield from (*model._meta.local_fields, *model._meta.local_many_to_many)
