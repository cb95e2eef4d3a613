"""Play example orders in the terminal, both styles side by side."""

from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.panel import Panel
from rich.table import Column, Table

from orders.models import SagaStyle
from sagas.management.demo.shop import check_shop, refill, what_is_left
from sagas.management.demo.stories import STORIES, Played, Story, play


class Command(BaseCommand):
    help = "Play example orders in both styles, in a shop of the demo's own: see `make demo`."

    def handle(self, *args: Any, **options: Any) -> None:
        check_shop()
        for style in SagaStyle:
            refill(style)
        console = Console(file=self.stdout)  # type: ignore[arg-type]
        order_ids: dict[SagaStyle, list[Any]] = {style: [] for style in SagaStyle}
        for story in STORIES:
            played = {style: play(story, style) for style in SagaStyle}
            console.print(table_of(story, played))
            for style, each in played.items():
                order_ids[style] += [each.order_id] if each.order_id else []
        for style in SagaStyle:
            console.print(Panel(what_is_left(style, order_ids[style]), title=f"What is left: {style}"))


def table_of(story: Story, played: dict[SagaStyle, Played]) -> Table:
    """Returns a column for each style: what happened, and below it the mails to the customer."""
    columns = [Column(style, overflow="fold", ratio=1) for style in played]
    table = Table(*columns, expand=True, title=story.title, title_justify="left", title_style="bold")
    table.add_row(*["\n".join(each.lines) for each in played.values()], end_section=True)
    if any(each.mails for each in played.values()):
        table.add_row(*["\n".join(each.mails) for each in played.values()])
    return table
