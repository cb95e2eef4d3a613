"""A MariaDB or MySQL of the topology's own. Its data is kept in the folder, so that a killed server recovers."""

import os
import shutil
import subprocess
from pathlib import Path

from cloudmart.deploy.local.component import Component
from cloudmart.deploy.local.health import GREETING_OF_A_DATABASE
from cloudmart.deploy.local.supervisor import NotReady
from cloudmart.deploy.local.templates import DEPLOY

SEARCHED = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin"

FIRST_STATEMENTS = """\
CREATE DATABASE IF NOT EXISTS cloudmart CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'cloudmart'@'127.0.0.1';
GRANT ALL ON cloudmart.* TO 'cloudmart'@'127.0.0.1';
CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';
GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
"""


def find(*names: str) -> str:
    """Returns the path of the first program that is installed. Raises FileNotFoundError."""
    for name in names:
        if path := shutil.which(name, path=SEARCHED):
            return path
    raise FileNotFoundError(f"{' or '.join(names)} is not installed")


def create_database(folder: Path, port: int) -> Component:
    """Creates the data unless it is there, and returns the server. Raises NotReady."""
    data, server = folder / "data", find("mariadbd", "mysqld")
    folder.mkdir(parents=True, exist_ok=True)
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    if not data.exists():
        create_data(server, data, as_root)
    (folder / "init.sql").write_text(FIRST_STATEMENTS)
    command = [
        server,
        f"--defaults-file={DEPLOY / 'mysql.cnf'}",
        *as_root,
        f"--datadir={data}",
        f"--init-file={folder / 'init.sql'}",
        f"--socket={folder / 'socket'}",
        f"--pid-file={folder / 'pid'}",
        f"--tmpdir={folder}",
        f"--secure-file-priv={folder}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
    ]
    return Component("database", "database", command, GREETING_OF_A_DATABASE, port)


def create_data(server: str, data: Path, options: list[str]) -> None:
    """Creates an empty data folder, whole or not at all. Raises NotReady."""
    new, log = data.with_name("data.new"), data.with_name("create.log")
    shutil.rmtree(new, ignore_errors=True)
    if is_mariadb(server):
        command = [find("mariadb-install-db"), "--no-defaults", f"--datadir={new}", *options, "--force"]
        command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    else:
        command = [server, "--no-defaults", f"--datadir={new}", *options, "--initialize-insecure"]
    with log.open("wb") as output:
        if subprocess.run(command, stdout=output, stderr=output).returncode:
            raise NotReady(f"The database cannot be created; see {log}")
    new.rename(data)


def is_mariadb(server: str) -> bool:
    return b"MariaDB" in subprocess.run([server, "--version"], check=True, capture_output=True).stdout
