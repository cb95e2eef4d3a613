"""The two formats of a log line."""

import json
import logging
import os
import sys

import pytest
from structlog.contextvars import bound_contextvars

from cloudmart.logs import formatter, logging_config
from tests.processes import run_python


def record_of_a_failure():
    card = "4242424242424242"
    try:
        raise ZeroDivisionError(len(card))
    except ZeroDivisionError:
        return logging.LogRecord("shop", logging.ERROR, __file__, 1, "order %s", ("broken\nline",), sys.exc_info())


def test_a_line_is_one_json_object_with_the_bound_variables():
    with bound_contextvars(order_id="order-1"):
        written = formatter().format(record_of_a_failure())
    line = json.loads(written)
    assert "\n" not in written
    assert (line["event"], line["level"], line["logger"]) == ("order broken\nline", "error", "shop")
    assert line["order_id"] == "order-1" and line["timestamp"].endswith("Z")
    assert "ZeroDivisionError: 16" in line["exception"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_variable(monkeypatch, log_format):
    monkeypatch.setenv("LOG_FORMAT", log_format)
    written = formatter().format(record_of_a_failure())
    assert "ZeroDivisionError" in written and "in record_of_a_failure" in written
    assert written.count("4242424242424242") == written.count('card = "4242424242424242"') == 0


def test_an_unknown_log_format_is_an_error(monkeypatch):
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(ValueError, match="json or console"):
        formatter()


def test_statements_with_their_values_are_never_logged():
    loggers = logging_config("DEBUG", "stdout")["loggers"]
    assert loggers["django.db.backends"]["level"] == "INFO"


@pytest.mark.parametrize(("chosen", "stream"), [({}, "stderr"), ({"LOG_STREAM": "stdout"}, "stdout")])
def test_a_commands_output_is_not_mixed_with_the_log(chosen, stream):
    code = 'import logging; logging.getLogger("shop").warning("logged"); print("output")'
    environment = {name: value for name, value in os.environ.items() if name != "LOG_STREAM"} | chosen
    done = run_python("manage.py", "shell", "--verbosity", "0", "--command", code, env=environment)
    assert "logged" in getattr(done, stream)
    if stream == "stderr":
        assert done.stdout == "output\n"
