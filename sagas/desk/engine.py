"""The engine that drives every saga of the shop."""

from rest_framework.response import Response

from sagas.desk.outcomes import record_outcome
from sagas.desk.responses import store_response
from sagas.engine.engine import Engine
from sagas.engine.style import SagaResult


def finish(result: SagaResult) -> Response | None:
    """Stores the client's response, and records the order's event. Returns the response, as `store_response` does."""
    response = store_response(result)
    record_outcome(result)
    return response


engine = Engine(on_finished=finish)
