"""The nodes of a replicated database behind HAProxy, which passes connections on to the one that accepts writes."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import MySQLdb

from benchmarks.database import connect
from benchmarks.processes import kill, process_listening_on
from benchmarks.topology import ROOT, wait_for
from tests.processes import TIMEOUT, free_port

CONFIG = ROOT / "cloudmart" / "deploy" / "haproxy.cfg"
NO_WRITER = "no node accepts writes"


@contextmanager
def behind_proxy(urls: Sequence[str]) -> Iterator[str]:
    """Runs HAProxy in front of the three nodes. Yields the URL of the database behind it, once it accepts writes."""
    execute(primary_of(urls), "CREATE USER IF NOT EXISTS haproxy_check@'127.0.0.1'")
    parts, port = urlsplit(urls[0]), free_port()
    addresses = {f"DATABASE_NODE_{number}": address(url) for number, url in enumerate(urls, 1)}
    settings = {**os.environ, **addresses, "DATABASE_PROXY": f"127.0.0.1:{port}"}
    with subprocess.Popen(["haproxy", "-q", "-f", CONFIG], env=settings) as proxy:  # noqa: S607
        try:
            url = parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()
            wait_for(lambda: is_writable(url), TIMEOUT, NO_WRITER)
            yield url
        finally:
            proxy.terminate()


def primary_of(urls: Sequence[str]) -> str:
    """Returns the URL of the node that accepts writes."""
    wait_for(lambda: any(map(is_writable, urls)), TIMEOUT, NO_WRITER)
    return next(url for url in urls if is_writable(url))


def is_writable(url: str) -> bool:
    try:
        return execute(url, "SELECT @@global.read_only") == ((0,),)
    except MySQLdb.Error:
        return False


def kill_node(url: str) -> None:
    """Sends SIGKILL to the server."""
    kill(process_listening_on(urlsplit(url).port or 3306))


def execute(url: str, sql: str) -> Any:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def address(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
