"""The format of log lines: JSON objects or readable text, with the bound context variables.

Reads LOG_FORMAT and PROFILE from the environment, not from the settings: the web server's master process never loads
those, and uses the same format.
"""

import os
import sys
from typing import Any

import structlog
from django.utils.log import CallbackFilter
from structlog.typing import EventDict, Processor

from cloudmart.kernel.redaction import redacted
from cloudmart.profiles import current_profile

ADDED_TO_EVERY_LINE: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *ADDED_TO_EVERY_LINE,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def logging_config(level: str, stream: str) -> dict[str, Any]:
    """Returns Django's LOGGING. Records of `level` and above go to `stream`, which is stdout or stderr."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "filters": {"has_traceback": {"()": CallbackFilter, "callback": lambda record: record.exc_info}},
        "handlers": {
            "stream": {"class": "logging.StreamHandler", "formatter": "line", "stream": f"ext://sys.{stream}"}
        },
        "root": {"handlers": ["stream"], "level": level},
        "loggers": {
            "django": {"handlers": []},
            "django.request": {"level": "ERROR", "filters": ["has_traceback"]},  # RequestLog logs every request
            "django.server": {"handlers": [], "propagate": True, "level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},  # the task logs what it has done
            "celery.app.trace": {"level": "WARNING"},
            "django.db.backends": {"level": "INFO"},  # at DEBUG it logs stored values, including tokens
        },
    }


def formatter() -> structlog.stdlib.ProcessorFormatter:
    """Returns the formatter of all records. Raises ValueError if LOG_FORMAT is neither json nor console."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=ADDED_TO_EVERY_LINE,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            without_secrets,
            _renderer(os.environ.get("LOG_FORMAT") or current_profile().log_format),
        ],
    )


def without_secrets(logger: Any, method: str, line: EventDict) -> EventDict:
    """A structlog processor that redacts every text of a line, including its traceback."""
    line["event"] = str(line["event"])
    return {key: redacted(value) if isinstance(value, str) else value for key, value in line.items()}


def _renderer(log_format: str) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    if log_format == "console":
        return structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    raise ValueError(f"LOG_FORMAT is {log_format!r}; it must be json or console.")
