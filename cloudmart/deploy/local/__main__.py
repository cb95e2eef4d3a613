"""The command line of bin/scale."""

import argparse
import fcntl
import logging
import sys
from pathlib import Path
from typing import IO

from cloudmart.deploy.local.shop import read_settings
from cloudmart.deploy.local.supervisor import NotReady, Stopped
from cloudmart.deploy.local.topology import COUNTS, OPTIONAL, Topology

READY = """
  Shop        {shop}
  Token       {customer}  (tanaka's)
              {operator}  (the operator's)
  Prometheus  {prometheus}
  Everything  {folder}/topology.json, {folder}/logs/

Kill a component, and see it restarted after a second:

pkill -KILL --session PID     (the "pid" in topology.json; -STOP and -CONT hang it)
"""


def main() -> None:
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    options = parse()
    read_settings()
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    with (options.folder / "lock").open("w") as lock:
        acquire(lock)
        try:
            Topology(options).run(started=print_what_runs)
        except Stopped:
            pass
        except NotReady as error:
            sys.exit(str(error))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/scale", description="Run the topology of docker-compose.yml's profile scale on this machine."
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("reports/scale"), help="for data, logs and topology.json (%(default)s)"
    )
    parser.add_argument("--port", type=int, metavar="PORT", help="of nginx (default: a free one)")
    for name, count in COUNTS.items():
        option = "--workers" if name == "worker" else f"--{name}"
        parser.add_argument(option, type=int, default=count, metavar="N", help=f"how many (default: {count})")
    parser.add_argument("--without", nargs="+", choices=OPTIONAL, default=[], metavar="NAME", help=", ".join(OPTIONAL))
    parser.add_argument(
        "--beside",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "COMMAND"),
        help="a command of yours that runs beside it, such as a consumer of the events at EVENTS_URL",
    )
    parser.add_argument("--database-url", metavar="URL", help="a database of yours instead of one in the folder")
    return parser.parse_args()


def acquire(lock: IO[str]) -> None:
    """Ends this process if another one runs on the same data."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"Another one runs here and has {lock.name}. Stop it, or choose another --folder.")


def print_what_runs(topology: Topology) -> None:
    text = READY.format(
        shop=topology.urls["shop"],
        prometheus=topology.urls.get("prometheus", "none"),
        customer=topology.tokens["tanaka"],
        operator=topology.tokens["operator"],
        folder=topology.folder,
    )
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


main()
