"""The whole topology: what is started, in which order, and what the file topology.json says about it."""

import json
import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from cloudmart.deploy.local import engines, shop
from cloudmart.deploy.local.component import Component
from cloudmart.deploy.local.database import create_database
from cloudmart.deploy.local.jobs import run_job
from cloudmart.deploy.local.ports import free_ports
from cloudmart.deploy.local.supervisor import Supervisor
from cloudmart.deploy.local.templates import write_nginx, write_prometheus

COUNTS = {"web": 3, "celery": 2, "worker": 2}
"""How many of each there are, as in docker-compose.yml."""
OPTIONAL = ("celery", "nginx", "prometheus", "rabbitmq", "redis", "redis-streams", "worker")
"""What the shop can do without."""
SHOP = ("web", "celery", "worker")
ENGINES = ("prometheus", "rabbitmq", "redis", "redis-streams")


class Topology:
    """The components on this machine, with the options of the command line."""

    def __init__(self, options: Namespace) -> None:
        self.folder: Path = options.folder
        self._options = options
        self._ports = free_ports()
        self._supervisor = Supervisor(self.folder, self._write)
        self._environment = {
            "PROFILE": os.environ.get("PROFILE", "dev"),
            "ALLOWED_HOSTS": "*",  # nginx knows the hosts
            "TRUSTED_PROXIES": "0" if "nginx" in options.without else "1",
            **shop.SIZES,
            "WEB_SERVERS": str(options.web),
            "WORKERS": str(options.workers),
            "CELERY_WORKERS": str(options.celery),
            "METRICS_TOKEN": secrets.token_urlsafe(),
            "BROKER_URL": "",
            "EVENTS_URL": "",
            "PYTHONUNBUFFERED": "1",
        }
        self.urls: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    def run(self, started: "Callable[[Topology], None]") -> None:
        """Runs it until SIGTERM, and calls `started` once everything is ready. Raises Stopped, or NotReady."""
        self._supervisor.obey_signals()
        try:
            self._start()
            started(self)
            self._supervisor.run()
        finally:
            beside = [name for name, _ in self._options.beside]
            self._supervisor.stop([("nginx",), SHOP, beside, ENGINES, ("epmd", "database")])

    def _start(self) -> None:
        database, others = self._engines()
        self._supervisor.start([*database, *others])
        self._supervisor.wait_until_ready(database)
        self._prepare()
        self._supervisor.wait_until_ready(others)
        servers = self._shop()
        self._supervisor.start(servers)
        self._supervisor.wait_until_ready(servers)
        edge = [*self._edge(servers), *self._beside()]
        self._supervisor.start(edge)
        self._supervisor.wait_until_ready(edge)

    def _has(self, kind: str) -> bool:
        return kind not in self._options.without

    def _engines(self) -> tuple[list[Component], list[Component]]:
        """Returns the database, if it is our own, and the other engines."""
        database, others = [], []
        if url := self._options.database_url:
            self._environment["DATABASE_URL"] = url
        else:
            port = next(self._ports)
            database.append(create_database(self.folder / "database", port))
            self._environment["DATABASE_URL"] = f"mysql://cloudmart@127.0.0.1:{port}/cloudmart"
            self._environment["DATABASE_REPLICA_URL"] = ""
        if self._has("rabbitmq"):
            port, metrics, distribution, mapper = islice(self._ports, 4)
            others.append(engines.port_mapper(mapper))
            others.append(engines.rabbitmq(self.folder / "rabbitmq", port, metrics, distribution, mapper))
            self._environment["BROKER_URL"] = f"amqp://guest:guest@127.0.0.1:{port}//"
        if self._has("redis"):
            port = next(self._ports)
            others.append(engines.redis(self.folder / "redis", port))
            self._environment["CACHE_URL"] = f"redis://127.0.0.1:{port}/0"
        if self._has("redis-streams"):
            port = next(self._ports)
            others.append(engines.redis_streams(self.folder / "redis-streams", port))
            self._environment["EVENTS_URL"] = f"redis://127.0.0.1:{port}/0"
            self._environment["EVENTS_KEPT"] = os.environ.get("EVENTS_KEPT", shop.EVENTS_KEPT)
        return database, others

    def _prepare(self) -> None:
        """Creates the tables, adds books and people, and issues tokens."""
        prepare = [sys.executable, "-m", "cloudmart.deploy.local.prepare"]
        self.tokens = json.loads(run_job(prepare, self._environment, self._supervisor.tend))

    def _shop(self) -> list[Component]:
        options, environment = self._options, self._environment
        celery = options.celery if self._has("celery") and self._has("rabbitmq") else 0
        workers = options.workers if self._has("worker") else 0
        return [
            *[shop.web(number, next(self._ports), environment) for number in range(1, options.web + 1)],
            *[shop.celery(number, next(self._ports), environment) for number in range(1, celery + 1)],
            *[shop.worker(number, next(self._ports), environment) for number in range(1, workers + 1)],
        ]

    def _edge(self, servers: list[Component]) -> list[Component]:
        """Returns nginx and Prometheus."""
        found, web = [], shop.ports_of(servers, "web")
        self.urls["shop"] = f"http://127.0.0.1:{web[0]}"
        if self._has("nginx"):
            port = self._options.port or next(self._ports)
            found.append(shop.nginx(write_nginx(self.folder / "nginx", port, web), port))
            self.urls["shop"] = f"http://127.0.0.1:{port}"
        if self._has("prometheus"):
            port = next(self._ports)
            everything = [*self._supervisor.components, *servers]
            targets = {job: shop.ports_of(everything, job) for job in ("web", "celery", "worker", "rabbitmq")}
            config = write_prometheus(self.folder / "prometheus", targets, self._environment["METRICS_TOKEN"])
            found.append(shop.prometheus(config, port))
            self.urls["prometheus"] = f"http://127.0.0.1:{port}"
        return found

    def _beside(self) -> list[Component]:
        """Returns the commands that are run beside the shop."""
        environment = {**self._environment, "SHOP_URL": self.urls["shop"]}
        return [shop.beside(name, command, environment) for name, command in self._options.beside]

    def _write(self, components: list[Component]) -> None:
        """Replaces topology.json, which only its owner may read."""
        content = {
            "url": self.urls.get("shop"),
            "prometheus_url": self.urls.get("prometheus"),
            "database_url": self._environment["DATABASE_URL"],
            "broker_url": self._environment["BROKER_URL"],
            "cache_url": self._environment.get("CACHE_URL"),
            "events_url": self._environment["EVENTS_URL"],
            "tokens": self.tokens,
            "components": {component.name: component.described() for component in components},
        }
        new = self.folder / "topology.json.new"
        new.touch(mode=0o600)
        new.write_text(json.dumps(content, indent=2) + "\n")
        new.replace(self.folder / "topology.json")
