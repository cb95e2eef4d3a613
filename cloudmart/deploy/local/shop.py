"""The shop's own processes, and nginx and Prometheus beside them."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import SIGQUIT

import environ

from cloudmart.deploy.local.component import Component
from cloudmart.deploy.local.database import find
from cloudmart.deploy.local.health import METRICS, READY, http_check, is_running

ROOT = Path(__file__).resolve().parents[3]
SIZES = {"WEB_WORKERS": "1", "WEB_THREADS": "4", "CELERY_CONCURRENCY": "2"}
"""Processes and threads of each server and worker, as in docker-compose.yml."""
EVENTS_KEPT = "15000"
"""Of each stream, as in docker-compose.yml, because Redis has the same memory."""
CELERY = ROOT / "bin" / "celery-worker"
Environment = dict[str, str]


def read_settings() -> None:
    """Adds the settings of ENV_FILE (.env) to those in the environment, which take precedence."""
    environ.Env.read_env(os.environ.get("ENV_FILE") or ROOT / ".env")


def web(number: int, port: int, environment: Environment) -> Component:
    command = [str(ROOT / "bin" / "serve"), "127.0.0.1", str(port)]
    return Component(f"web-{number}", "web", command, READY, port, environment | traced_as("web"), port)


def celery(number: int, port: int, environment: Environment) -> Component:
    own = {"CELERY_METRICS_PORT": str(port), "CELERY_METRICS_HOST": "127.0.0.1", **traced_as("celery")}
    return Component(f"celery-{number}", "celery", [str(CELERY)], METRICS, port, environment | own, port)


def worker(number: int, port: int, environment: Environment) -> Component:
    command = [sys.executable, str(ROOT / "manage.py"), "run_worker", "--metrics-port", str(port)]
    return Component(f"worker-{number}", "worker", command, METRICS, port, environment | traced_as("worker"), port)


def traced_as(kind: str) -> Environment:
    """Returns the name of a service in traces, as in docker-compose.yml."""
    return {"OTEL_SERVICE_NAME": f"cloudmart-{kind}"}


def nginx(config: Path, port: int) -> Component:
    """SIGQUIT lets the requests end; SIGTERM does not."""
    command = [find("nginx"), "-p", str(config.parent), "-e", "stderr", "-c", str(config), "-g", "daemon off;"]
    return Component("nginx", "nginx", command, READY, port, stop_signal=SIGQUIT)


def prometheus(config: Path, port: int) -> Component:
    command = [find("prometheus"), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    command += [f"--storage.tsdb.path={config.parent / 'data'}", "--log.level=warn"]
    return Component("prometheus", "prometheus", command, http_check("/-/ready"), port, metrics_port=port)


def beside(name: str, command: str, environment: Environment) -> Component:
    """Returns a command of the user's, such as one that receives the shop's events."""
    return Component(name, name, shlex.split(command), is_running, None, environment)


def ports_of(components: Sequence[Component], kind: str) -> list[int]:
    return [component.metrics_port for component in components if component.kind == kind and component.metrics_port]
