"""The ASGI application that the web server loads: Django's WSGI application behind the front."""

# ruff: noqa: E402, the order of these imports matters

from cloudmart.process import collect_garbage_rarely, end_with_parent

end_with_parent()  # before Django is imported, which takes seconds

from django.conf import settings
from django.urls import get_resolver

from cloudmart.wsgi import application as django

get_resolver().url_patterns  # noqa: B018, imports every view before the first request

from cloudmart.front import Front, Limits  # needs Django to be set up
from cloudmart.watcher import Watcher
from sagas.selectors import unfinished_of

application = Front(
    django,
    Limits(
        threads=settings.WEB_THREADS,
        body_size=settings.MAX_BODY_SIZE,
        small_body=16 * 1024,
        bodies_size=128 * settings.MAX_BODY_SIZE,
        body_time=settings.REQUEST_BODY_TIMEOUT,
        queue_time=settings.REQUEST_QUEUE_TIMEOUT,
        probe_time=5,
        unread_time=settings.RESPONSE_READ_TIMEOUT,
    ),
    Watcher(unfinished_of, settings.WEB_WAITING),
)

collect_garbage_rarely()
