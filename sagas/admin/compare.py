"""The page that shows two orders on one axis: the same story in both styles, unless other orders are chosen."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cloudmart.api.catalogue import CATALOGUE, meaning_of
from cloudmart.database.clock import database_now
from cloudmart.kernel.order_numbers import shown
from cloudmart.pages.cells import order_link
from orders.models import Order, SagaStyle
from sagas.models import SagaInstance
from sagas.operations.finding import orders_named
from sagas.operations.standing import Standing, standing_of
from sagas.operations.timeline.bars import Timeline
from sagas.operations.timeline.comparing import Story, compared_steps, recent_stories, shared_axis
from sagas.operations.timeline.reading import timeline_of_order
from sagas.operations.timeline.svg import drawn

STYLES: dict[str, Any] = {
    SagaStyle.ORCHESTRATION: gettext_lazy(
        "Orchestration: one state machine takes step after step, and undoes them in reverse. Its log has every step."
    ),
    SagaStyle.CHOREOGRAPHY: gettext_lazy(
        "Choreography: each context reacts to the events of the others, and publishes its own. A step that calls no "
        "provider is as long as its event: 0 ms."
    ),
}


class OrderField(forms.CharField):
    """An order by its id or its number."""

    def clean(self, value: Any) -> UUID:
        found = orders_named(super().clean(value))
        if not found:
            raise forms.ValidationError(_("There is no such order."))
        if len(found) > 1:
            raise forms.ValidationError(_("Several orders have numbers that begin like this."))
        return found[0]


class PairForm(forms.Form):
    """The two orders."""

    left = OrderField(label=gettext_lazy("First order"), max_length=40)
    right = OrderField(label=gettext_lazy("Second order"), max_length=40)

    def clean_right(self) -> UUID:
        right: UUID = self.cleaned_data["right"]
        if right == self.cleaned_data.get("left"):
            raise forms.ValidationError(_("Choose two different orders."))
        return right


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two orders."""

    timeline: Timeline
    drawing: SafeString
    standing: Standing

    @property
    def link(self) -> SafeString | str:
        return order_link(self.timeline.order_id)

    @property
    def style(self) -> str:
        return str(STYLES.get(self.timeline.style, _("A draft: it has no saga yet.")))

    @property
    def title(self) -> str:
        return str(SagaStyle(self.timeline.style).label) if self.timeline.style else _("Draft")


def compare(request: HttpRequest) -> TemplateResponse:
    """Shows the orders `left` and `right`, or the newest two with the same story. Raises PermissionDenied."""
    if not request.user.has_perm("orders.view_order"):
        raise PermissionDenied
    stories = recent_stories()
    form = PairForm(request.GET if request.GET else None, initial=_initial(stories))
    context = {
        **admin.site.each_context(request),
        "title": _("Compare styles"),
        "form": form,
        "stories": [(_story_name(story), _url(story)) for story in stories],
        **_pair_context(_pair(form, stories)),
    }
    return TemplateResponse(request, "admin/sagas/compare.html", context)


def _initial(stories: list[Story]) -> dict[str, str]:
    return {"left": shown(stories[0].left), "right": shown(stories[0].right)} if stories else {}


def _pair(form: PairForm, stories: list[Story]) -> tuple[UUID, UUID] | None:
    """Returns the chosen orders; the newest story if none are chosen; None if there are none."""
    if form.is_bound:
        return (form.cleaned_data["left"], form.cleaned_data["right"]) if form.is_valid() else None
    return (stories[0].left, stories[0].right) if stories else None


def _pair_context(pair: tuple[UUID, UUID] | None) -> dict[str, Any]:
    if pair is None:
        return {}
    left, right = map(timeline_of_order, pair)
    axis, standings = shared_axis(left, right), _standings(pair)
    sides = [Side(each, drawn(each, axis), standings[each.order_id]) for each in (left, right)]
    return {"sides": sides, "steps": compared_steps(left, right)}


def _standings(order_ids: Collection[UUID]) -> dict[UUID, Standing]:
    orders = Order.objects.in_bulk(order_ids)
    sagas = SagaInstance.objects.defer("payload").in_bulk(list(order_ids), field_name="order_id")
    now = database_now()
    return {order.pk: standing_of(order.status, sagas.get(order.pk), now) for order in orders.values()}


def _story_name(story: Story) -> str:
    """Returns what the code of the failure means, in the language of the page."""
    if not story.code:
        return _("The order is completed")
    return _(meaning_of(story.code)).rstrip(".。") if story.code in CATALOGUE else story.code


def _url(story: Story) -> str:
    query = {"left": str(story.left), "right": str(story.right)}
    return reverse("admin:compare_orders", query=query)
