"""The form of a customer in the admin. It takes what the API takes of a person who orders."""

import re
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from cloudmart.api.fields import TEXT
from cloudmart.database.fields import EMAIL
from cloudmart.kernel.countries import postal_code_of
from orders.models import Customer

is_line = RegexValidator(TEXT, _("Give a line of text, without control characters."))
is_email = RegexValidator(EMAIL, _("Give an e-mail address such as name@example.com."))

VALIDATORS = {"name": is_line, "address": is_line, "email": is_email}


class CustomerForm(forms.ModelForm):
    class Meta:
        model = Customer
        exclude: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, validator in VALIDATORS.items():
            if name in self.fields:
                self.fields[name].validators.append(validator)

    def clean(self) -> dict[str, Any]:
        """Checks the postal code by the country's pattern."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        code, country = cleaned.get("postal_code"), cleaned.get("country")
        if code and country and not re.match(postal_code_of(country), code):
            message = _("This is not a postal code of %(country)s.") % {"country": country}
            self.add_error("postal_code", message)
        return cleaned
