"""The engine that drives every saga of the shop."""

from rest_framework.response import Response

from sagas.desk.mails import record_mail
from sagas.desk.responses import store_response
from sagas.engine.engine import Engine
from sagas.engine.style import SagaResult


def finish(result: SagaResult) -> Response | None:
    """Records the customer's mail, and stores the client's response. Returns that, as `store_response` does."""
    record_mail(result)
    return store_response(result)


engine = Engine(on_finished=finish)
