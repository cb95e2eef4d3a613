"""A real Redis server for tests, on a private port."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.cache import caches
from redis import Redis

from cloudmart.api.caches import cache_from
from cloudmart.api.shared_cache import BREAKER
from cloudmart.settings import env
from tests.processes import Killable, free_port, listens, wait_until


@dataclass
class RedisServer(Killable):
    folder: Path
    port: int
    config: Path | None = None
    """Without it nothing is written to the disk."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        config = [str(self.config)] if self.config else ["--save", "", "--appendonly", "no"]
        address = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command = ["redis-server", *config, *address, "--logfile", str(self.folder / "redis.log")]
        self.process = subprocess.Popen(command)
        wait_until(lambda: listens(self.port))

    def client(self) -> Redis:
        return Redis(port=self.port, decode_responses=True)


@contextmanager
def running_redis(folder: Path, config: Path | None = None) -> Iterator[RedisServer]:
    server = RedisServer(folder, free_port(), config)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def cache_in(server: RedisServer, settings: Any) -> Iterator[Any]:
    """The cache of CloudMart is in this server, and empty."""
    settings.CACHES = {"default": cache_from(env.cache_url_config(server.url))}
    server.client().flushall()
    BREAKER.close()
    cache: Any = caches["default"]
    yield cache
    cache.disconnect()
    BREAKER.close()
