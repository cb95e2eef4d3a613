"""Takes the pictures of the documentation: python -m tests.browser.pictures, which bin/screenshots runs.

They show a shop of their own, with a server and a worker.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.urls import reverse  # noqa: E402
from playwright.sync_api import Browser, Page  # noqa: E402

from orders.models import SagaStyle  # noqa: E402
from sagas.models import SagaInstance, State  # noqa: E402
from tests.browser.conftest import DESKTOP, PHONE, open_drawn, running_chromium, session_of  # noqa: E402
from tests.browser.pictured_shop import fill  # noqa: E402
from tests.processes import ROOT, database_url, free_port, running_command, serving  # noqa: E402

FOLDER = ROOT / "docs" / "pictures"
PAGE_OF_AN_ORDER = {"width": 1280, "height": 1008}
MOST_BYTES = 200_000


class Picture(NamedTuple):
    """A page in a window of this size, in this language."""

    name: str
    path: str
    window: dict[str, int]
    locale: str = "en-GB"


def main() -> None:
    fill()
    FOLDER.mkdir(exist_ok=True)
    with running_site() as site, running_chromium() as browser:
        for picture in pictures():
            take(picture, browser, site)


def pictures() -> Iterator[Picture]:
    failed = SagaInstance.objects.filter(
        status=State.FAILED, saga_type=SagaStyle.ORCHESTRATION, failure__code="shipping_failed"
    ).order_by("-pk")[0]
    waiting = SagaInstance.objects.filter(attention__isnull=False, saga_type=SagaStyle.CHOREOGRAPHY)[0]
    home = reverse("admin:index")
    yield Picture("home", home, DESKTOP)
    yield Picture("home-ja", home, DESKTOP, "ja-JP")
    for suffix, locale in (("", "en-GB"), ("-ja", "ja-JP")):
        yield Picture(f"order{suffix}", order_page(failed), PAGE_OF_AN_ORDER, locale)
    yield Picture("waiting-order-phone", order_page(waiting), PHONE)


def order_page(saga: SagaInstance) -> str:
    return reverse("admin:orders_order_change", args=[saga.order_id])


def take(picture: Picture, browser: Browser, site: str) -> None:
    """Raises SystemExit if the picture is too large for a README."""
    context = browser.new_context(base_url=site, viewport=picture.window, locale=picture.locale)
    operator = get_user_model().objects.get(username="operator")
    context.add_cookies([{"name": "sessionid", "value": session_of(operator), "url": site}])
    page: Page = context.new_page()
    open_drawn(page, picture.path)
    page.wait_for_load_state("networkidle")
    file = FOLDER / f"{picture.name}.png"
    page.screenshot(path=file, animations="disabled")
    context.close()
    sys.stdout.write(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes\n")
    if file.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{file} has more than {MOST_BYTES:,} bytes.")


@contextmanager
def running_site() -> Iterator[str]:
    """Runs a server and a worker. Yields the address."""
    port = free_port()
    with serving(port, {**os.environ, "DATABASE_URL": database_url()}), running_command("run_worker") as worker:
        assert worker.stdout and "started" in worker.stdout.readline()
        yield f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    main()
