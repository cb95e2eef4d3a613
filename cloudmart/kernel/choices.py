"""Choices of a column, whose labels are translated."""

from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy


class TranslatedChoices(TextChoices):
    """Choices with the labels that Django makes of their names, in the language of the page."""

    @property
    def label(self) -> Any:
        return gettext_lazy(str(self._label_))
