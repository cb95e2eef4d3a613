"""The form of an endpoint in the admin."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from cloudmart.webhooks.addresses import check_url
from cloudmart.webhooks.errors import InvalidEndpoint
from cloudmart.webhooks.models import WebhookEndpoint
from cloudmart.webhooks.registration import SUBSCRIBABLE, chosen


class EndpointForm(forms.ModelForm):
    event_types = forms.MultipleChoiceField(
        required=False,
        choices=[(event_type.value, event_type.label) for event_type in SUBSCRIBABLE],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("The types that it receives; empty: all"),
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["url", "description", "event_types"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "event_types" in self.fields:
            self.fields["event_types"].label = capfirst(gettext("event types"))

    def clean_url(self) -> str:
        try:
            check_url(self.cleaned_data["url"])
        except InvalidEndpoint as refusal:
            raise ValidationError(gettext(refusal.detail)) from None
        return str(self.cleaned_data["url"])

    def clean_event_types(self) -> list[str]:
        return chosen(self.cleaned_data["event_types"])
