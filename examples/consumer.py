"""A consumer of the shop's events. It processes each event once, those of an order in their order, and reports gaps.

    pip install redis
    python examples/consumer.py --url redis://127.0.0.1:6379/0 --partition all --store consumer.sqlite3

It stores each event in SQLite, prints it as a line of JSON, and prints problems on standard error. Replace `process`,
which stores the event, by what your system does with it in its database. The rest is what every consumer needs:

- The position in each stream is stored in the transaction of the effect. A consumer that dies continues after the
  last event that it has processed: it loses none, and processes none twice. (The lines are printed after the
  transaction: if it dies in between they are missing, and are not printed later.)
- The shop publishes an event at least once. A duplicate has the same `source` and `id`, and is dropped.
- Each subject's events have a `sequence` in each source, 1, 2, 3 without a gap. If one is missing it was trimmed, or
  Redis has lost it: that is reported, and the consumer goes on. Ask the shop's API what became of the order.
- One consumer reads a partition. The shop publishes all events of an order to the same partition, in their order. To
  share the work, run a consumer for each partition. Do not put several into one consumer group (XREADGROUP): one gets
  the order's first event, another one its second, and nobody knows which of them finishes first. A group is fine with
  one member for each stream, but then the position is in Redis, and not in the transaction of the effect.

docs/events.md describes the events.
"""

import argparse
import json
import sqlite3
import sys
from time import sleep
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

NAME = "cloudmart:events"
BLOCK, COUNT = 1000, 100
"""Milliseconds to wait for the next event, and how many to process in one transaction."""
TIMEOUT = 5
"""Seconds that Redis may take for a response. More than BLOCK."""
BEGINNING = "0-0"
ATTRIBUTES = ("source", "id", "subject", "sequence")
"""What each event has, as text."""

TABLES = """
CREATE TABLE IF NOT EXISTS positions (stream TEXT PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sequences (
    source TEXT NOT NULL, subject TEXT NOT NULL, latest INTEGER NOT NULL, PRIMARY KEY (source, subject)
);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, source TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL, UNIQUE (source, id)
);
"""


def process(store: sqlite3.Connection, event: dict[str, Any]) -> bool:
    """Stores the event. Returns False if it is stored already: it is a duplicate.

    Keep the ids for as long as the streams keep events: a duplicate can be that late.
    """
    values = event["source"], event["id"], json.dumps(event, ensure_ascii=False)
    return store.execute("INSERT OR IGNORE INTO events (source, id, document) VALUES (?, ?, ?)", values).rowcount == 1


def problem_of(store: sqlite3.Connection, event: dict[str, Any]) -> dict[str, Any] | None:
    """Stores the sequence of a new event. Returns what is wrong if it does not follow the subject's latest one."""
    key, sequence = (event["source"], event["subject"]), int(event["sequence"])
    row = store.execute("SELECT latest FROM sequences WHERE source = ? AND subject = ?", key).fetchone()
    expected = row[0] + 1 if row else 1
    store.execute("INSERT OR REPLACE INTO sequences VALUES (?, ?, ?)", (*key, max(sequence, expected - 1)))
    if sequence == expected:
        return None
    problem = "gap" if sequence > expected else "late"
    return {"problem": problem, "source": key[0], "subject": key[1], "expected": expected, "received": sequence}


def position_in(store: sqlite3.Connection, stream: str) -> str:
    """Returns the entry that was processed last."""
    row = store.execute("SELECT entry FROM positions WHERE stream = ?", (stream,)).fetchone()
    return row[0] if row else BEGINNING


def is_trimmed_after(client: Redis, stream: str, position: str) -> bool:
    """Returns True if the stream has lost the entry at this position, and so perhaps later ones."""
    if position == BEGINNING:
        info: Any = client.xinfo_stream(stream)
        return info["entries-added"] > info["length"]
    return not client.xrange(stream, position, position)


def event_in(fields: dict[str, str]) -> dict[str, Any]:
    """Returns the event of an entry. Raises ValueError if it is none."""
    event = json.loads(fields.get("event", ""))
    if not isinstance(event, dict) or not all(isinstance(event.get(name), str) for name in ATTRIBUTES):
        raise ValueError("no event")
    int(event["sequence"])
    return event


def receive(client: Redis, store: sqlite3.Connection, stream: str, entries: list[Any]) -> list[dict[str, Any]]:
    """Processes entries of a stream, in one transaction. Returns the new events and the problems."""
    found = []
    with store:
        store.execute("BEGIN IMMEDIATE")
        position = position_in(store, stream)
        for entry, fields in entries:
            try:
                event = event_in(fields)
            except ValueError as error:
                found.append({"problem": "unreadable", "stream": stream, "entry": entry, "error": str(error)})
            else:
                if process(store, event):
                    if problem := problem_of(store, event):
                        found.append({**problem, "trimmed": is_trimmed_after(client, stream, position)})
                    found.append(event)
            position = entry
        store.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (stream, position))
    return found


def consume(client: Redis, store: sqlite3.Connection, streams: list[str], once: bool) -> None:
    """Reads the streams for ever; if `once`, until nothing is left."""
    positions: dict[Any, Any] = {stream: position_in(store, stream) for stream in streams}
    while True:
        batches: Any = client.xread(positions, COUNT, None if once else BLOCK)
        if once and not batches:
            return
        for stream, entries in batches:
            for each in receive(client, store, stream, entries):
                show(each)
            positions[stream] = entries[-1][0]


def show(line: dict[str, Any]) -> None:
    """Prints an event, or a problem on standard error."""
    print(json.dumps(line, ensure_ascii=False), file=sys.stderr if "problem" in line else sys.stdout, flush=True)


def partitions_of(client: Redis, chosen: str) -> list[str]:
    """Returns the names of the chosen streams, once the shop has published something."""
    while not (number := client.get(f"{NAME}:partitions")):
        sleep(BLOCK / 1000)
    return [f"{NAME}:{each}" for each in range(int(number)) if chosen in ("all", str(each))]


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints the shop's events.")
    parser.add_argument("--url", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--partition", default="all", help="a number, or all (default)")
    parser.add_argument("--store", default="consumer.sqlite3", help="the file with the positions and the events")
    parser.add_argument("--once", action="store_true", help="stop when everything is read")
    options = parser.parse_args()
    store = sqlite3.connect(options.store, timeout=TIMEOUT, isolation_level=None)
    store.executescript(f"PRAGMA journal_mode = WAL; {TABLES}")
    client = Redis.from_url(options.url, decode_responses=True, socket_timeout=TIMEOUT, protocol=2)
    while True:
        try:
            return consume(client, store, partitions_of(client, options.partition), options.once)
        except (RedisError, OSError) as error:
            show({"problem": "redis", "error": repr(error)})
            sleep(BLOCK / 1000)


if __name__ == "__main__":
    main()
