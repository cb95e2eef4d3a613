"""A real RabbitMQ for tests, on ports and in a folder of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import amqp

from cloudmart.celery import QUEUES
from tests.processes import TIMEOUT, free_port, wait_until

SERVER, CONTROL = "/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmqctl"
"""Debian's commands of the same names in /usr/sbin become the user rabbitmq, who cannot read our folder."""

TOGETHER = ("setpriv", "--pdeathsig", "KILL")
"""Runs a command that dies with the tests."""


@dataclass
class RabbitMQ:
    """A node. Its process, the Erlang machine, is all of it."""

    port: int
    folder: Path
    env: dict[str, str]

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        with (self.folder / "output").open("a") as output:
            command = [*TOGETHER, SERVER]
            self.process = subprocess.Popen(command, env=self.env, cwd=self.folder, stdout=output, stderr=output)
        wait_until(lambda: self.process.poll() is not None or self.accepts_connections())
        assert self.process.poll() is None, (self.folder / "output").read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT)

    def write_everything(self) -> None:
        """Has the node write its tables. A queue that is not yet in them has no leader after a SIGKILL."""
        self._control("eval", "[ok = dets:sync(Table) || Table <- dets:all()].")

    def prefetch_counts(self) -> list[int]:
        """Returns for each consumer how many messages it may have that are not acknowledged."""
        return [int(line) for line in self._control("list_consumers", "prefetch_count", "--no-table-headers").split()]

    def queues(self) -> set[str]:
        """Returns the names of all queues."""
        return {*self._control("list_queues", "name", "--no-table-headers").split()}

    def _control(self, *arguments: str) -> str:
        """Runs a command of RabbitMQ. Returns its output."""
        command = [CONTROL, "--quiet", "--node", self.env["RABBITMQ_NODENAME"], *arguments]
        return subprocess.run(
            command, env=self.env, cwd=self.folder, check=True, capture_output=True, text=True, timeout=TIMEOUT
        ).stdout

    def connect(self) -> amqp.Connection:
        connection = amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=TIMEOUT)
        connection.connect()
        return connection

    def accepts_connections(self) -> bool:
        with suppress(OSError, amqp.AMQPError), self.connect():
            return True
        return False

    def messages(self) -> dict[str, int]:
        """Returns how many messages wait in each queue that exists."""
        found = {}
        with self.connect() as connection:
            for name in QUEUES.values():
                with suppress(amqp.NotFound), connection.channel() as channel:
                    found[name] = channel.queue_declare(name, passive=True).message_count
        return found

    def purge(self) -> None:
        """Deletes the messages that wait."""
        for name in self.messages():
            with self.connect() as connection, connection.channel() as channel:
                channel.queue_purge(name)

    def delete_queues(self) -> None:
        with self.connect() as connection, connection.channel() as channel:
            for name in QUEUES.values():
                channel.queue_delete(name)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Within the block the node accepts connections, and responds to nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def running_rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """Runs a node on 127.0.0.1 until the block ends. Its cluster's registry, epmd, is its own too."""
    port, epmd_port, peers_port = free_port(), free_port(), free_port()
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\ndisk_free_limit.absolute = 10MB\n")
    (folder / "plugins").write_text("[].")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "NOTIFY_SOCKET": str(folder / "unused"),  # as under systemd: no shell between us and the Erlang machine
        "RABBITMQ_NODENAME": f"test-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(peers_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    registry = subprocess.Popen([*TOGETHER, "epmd"], env=env, cwd=folder)
    rabbitmq = RabbitMQ(port, folder, env)
    try:
        rabbitmq.start()
        yield rabbitmq
    finally:
        for process in (rabbitmq.process, registry):
            process.kill()
            process.wait(TIMEOUT)
