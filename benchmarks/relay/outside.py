"""What receives the events: a Redis for the streams, and an nginx for the webhooks, on ports of 127.0.0.1."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from redis import Redis
from redis.exceptions import RedisError

from benchmarks.processes import free_port
from benchmarks.server import ROOT, TIMEOUT

STREAMS = ROOT / "cloudmart" / "deploy" / "redis-streams.conf"
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  log_format one 1;
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {folder};
  proxy_temp_path {folder};
  fastcgi_temp_path {folder};
  uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location = /webhooks {{
      access_log {folder}/{received} one;
      return 204;
    }}
  }}
}}
"""
"""It reads each webhook, counts it, and accepts it."""

RECEIVED = "received.log"


@dataclass(frozen=True, slots=True)
class Outside:
    """Both receivers, which are running."""

    folder: Path
    redis_port: int
    nginx_port: int

    @property
    def events_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.nginx_port}/webhooks"

    def events(self) -> int:
        """Returns how many events were ever added to the streams."""
        with Redis(port=self.redis_port, decode_responses=True) as redis:
            return sum(redis.xinfo_stream(key)["entries-added"] for key in redis.scan_iter(_type="stream"))

    def webhooks(self) -> int:
        """Returns how many webhooks nginx has received, by its log: a digit and the end of the line for each."""
        return (self.folder / RECEIVED).stat().st_size // 2

    def redis_is_ready(self) -> bool:
        try:
            with Redis(port=self.redis_port) as redis:
                return bool(redis.ping())
        except RedisError:
            return False

    def nginx_is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.nginx_port), timeout=TIMEOUT).close()
        except OSError:
            return False
        return True


@contextmanager
def outside() -> Iterator[Outside]:
    """Runs both until the block ends, and deletes what they have written."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        receivers = Outside(folder, free_port(), free_port())
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=receivers.nginx_port, received=RECEIVED))
        address = ("--bind", "127.0.0.1", "--port", str(receivers.redis_port))
        redis = ("redis-server", str(STREAMS), *address, "--dir", name, "--logfile", str(folder / "redis.log"))
        nginx = ("nginx", "-p", name, "-e", str(folder / "error.log"), "-c", str(config))
        with running(redis, receivers.redis_is_ready), running(nginx, receivers.nginx_is_ready):
            yield receivers


@contextmanager
def running(command: tuple[str, ...], is_ready: Callable[[], bool]) -> Iterator[None]:
    """Raises SystemExit if it does not start."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + TIMEOUT
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start.")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(TIMEOUT)
