"""RabbitMQ with Erlang's port mapper, and the two of Redis."""

from pathlib import Path
from shutil import which

from cloudmart.deploy.local.component import Component
from cloudmart.deploy.local.database import SEARCHED, find
from cloudmart.deploy.local.health import AMQP, PONG, tcp_check
from cloudmart.deploy.local.templates import DEPLOY, write_rabbitmq

RABBITMQ = f"/usr/lib/rabbitmq/bin:{SEARCHED}"
"""Debian's command of the same name in /usr/sbin becomes the user rabbitmq, who cannot read our folder."""


def port_mapper(port: int) -> Component:
    """Returns Erlang's port mapper. RabbitMQ would leave one behind that it has started itself."""
    command = [find("epmd"), "-port", str(port), "-address", "127.0.0.1"]
    names_request = tcp_check(port.to_bytes(4, "big"), request=b"\x00\x01n")
    return Component("epmd", "epmd", command, names_request, port)


def rabbitmq(folder: Path, port: int, metrics_port: int, distribution_port: int, mapper_port: int) -> Component:
    config = write_rabbitmq(folder, metrics_port)
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "cloudmart@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
    }
    server = which("rabbitmq-server", path=RABBITMQ) or find("rabbitmq-server")
    return Component("rabbitmq", "rabbitmq", [server], AMQP, port, environment, metrics_port)


def redis(folder: Path, port: int) -> Component:
    """Returns the Redis that counts requests."""
    return redis_server("redis", "redis-cache.conf", folder, port)


def redis_streams(folder: Path, port: int) -> Component:
    """Returns the Redis that has the streams of events. It keeps them in the folder."""
    return redis_server("redis-streams", "redis-streams.conf", folder, port)


def redis_server(name: str, config: str, folder: Path, port: int) -> Component:
    folder.mkdir(parents=True, exist_ok=True)
    command = [find("redis-server"), str(DEPLOY / config)]
    command += ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    return Component(name, name, command, PONG, port)
