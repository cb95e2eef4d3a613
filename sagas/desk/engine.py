"""The engine that drives every saga of the shop."""

from sagas.desk.responses import store_response
from sagas.engine.engine import Engine

engine = Engine(on_finished=store_response)
