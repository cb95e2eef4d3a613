"""Two real MariaDB servers, of which the second replicates the first."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import MySQLdb

from tests.processes import TIMEOUT, free_port, wait_until

PATH = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin"
AS_ROOT = ["--user=root"] if os.geteuid() == 0 else []
FIRST_STATEMENTS = """\
SET sql_log_bin = 0;
CREATE DATABASE shop CHARACTER SET utf8mb4;
CREATE USER 'shop'@'127.0.0.1';
GRANT ALL ON shop.* TO 'shop'@'127.0.0.1';
CREATE USER 'admin'@'127.0.0.1';
GRANT ALL ON *.* TO 'admin'@'127.0.0.1' WITH GRANT OPTION;
"""


@dataclass
class MariaDB:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def execute(self, sql: str) -> Any:
        """Executes a statement as an administrator. Returns its rows."""
        connection = MySQLdb.connect(host="127.0.0.1", port=self.port, user="admin", autocommit=True)
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall()
        finally:
            connection.close()

    def responds(self) -> bool:
        try:
            self.execute("SELECT 1")
        except MySQLdb.Error:
            return False
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT)


@contextmanager
def replicated(folder: Path) -> Iterator[tuple[MariaDB, MariaDB]]:
    """Runs a primary and its replica until the block ends."""
    servers: list[MariaDB] = []
    try:
        create_data(folder / "1")
        shutil.copytree(folder / "1", folder / "2")
        servers += [start(folder, number) for number in (1, 2)]
        for server in servers:
            wait_until(server.responds)
        primary, replica = servers
        replica.execute(
            f"CHANGE MASTER TO master_host='127.0.0.1', master_port={primary.port}, master_user='admin',"
            " master_use_gtid=slave_pos"
        )
        replica.execute("START REPLICA")
        yield primary, replica
    finally:
        for server in servers:
            server.kill()


def create_data(folder: Path) -> None:
    command = ["mariadb-install-db", "--no-defaults", *AS_ROOT, "--force", "--skip-test-db", f"--datadir={folder}"]
    subprocess.run(
        [*command, "--auth-root-authentication-method=normal"],
        env={**os.environ, "PATH": PATH},
        check=True,
        capture_output=True,
    )


def start(folder: Path, number: int) -> MariaDB:
    (folder / "first.sql").write_text(FIRST_STATEMENTS)
    port = free_port()
    options = [
        *(f"--datadir={folder / str(number)}", f"--socket={folder / f'{number}.socket'}", f"--tmpdir={folder}"),
        *(
            f"--init-file={folder / 'first.sql'}",
            f"--port={port}",
            f"--server-id={number}",
            "--bind-address=127.0.0.1",
        ),
        *("--log-bin=binlog", "--skip-name-resolve", "--innodb-buffer-pool-size=32M", f"--read-only={number - 1}"),
    ]
    server = shutil.which("mariadbd", path=PATH)
    assert server
    with (folder / f"{number}.log").open("wb") as log:
        process = subprocess.Popen([server, "--no-defaults", *AS_ROOT, *options], stdout=log, stderr=log)
    return MariaDB(folder / str(number), port, process)
