"""Bugs of similar systems and pitfalls of their databases, each of which a test excludes here.

The test is marked: `@known_bug("medusa#16502")`. Every bug in the list has one.
"""

import pytest

KNOWN_BUGS = {
    # --- Recovery ---------------------------------------------------------------------------------
    "dbos-transact-py#716": "The database restarts during recovery, and the workflows in progress are never retried.",
    "dbos-transact-py#742": "Recovery uses an outdated list of pending workflows, and runs one that another process "
    "has acquired meanwhile.",
    "dbos-transact-py#805": "A recovered workflow stays between two steps for ever, and blocks the queue behind it.",
    "dbos-transact-py#260": "A workflow that died between the attempts of a step cannot be recovered.",
    "dbos-transact-java#491": "Recovery at process start runs a workflow a second time that is still running.",
    "dbos-transact-ts#725": "A second request with the same id leaves the first workflow running, but excluded from "
    "recovery.",
    "dbos-transact-ts#1205": "After a change elsewhere, nothing detects any more that two processes execute the same "
    "step.",
    "dbos-transact-golang#174": "Only a process of the same name and version recovers a dead process's workflows.",
    "restate#5196": "A call is suspended until a result arrives that only the call itself can produce. It waits "
    "without end, and so does every other call with its key.",
    # --- Compensation -----------------------------------------------------------------------------
    "sdk-java#305": "The compensation runs in the scope that was cancelled, so the cancellation prevents it.",
    "skill-temporal-developer PR#43": "The undo of a step is registered after the step, so a step whose response is "
    "lost is never undone.",
    "eventuate-tram-sagas#75": "A failing compensation is not handled: the saga breaks, and stays broken.",
    "eventuate-tram-sagas#80": "The first failed attempt triggers the compensation, although another attempt might "
    "succeed.",
    "customers-and-orders#46": "A saga whose compensation fails ends in an exception.",
    "ftgo-application#107": "One undo is impossible, and the steps before it are never undone.",
    "seata#2861": "The order of compensations is undefined: C1 need not wait for C2 if C2 fails.",
    "medusa PR#15527": "One of two concurrent runs loses, and refunds the payment of the one that won.",
    "medusa#10201": "The error of a retryable step is not reported.",
    # --- Commerce ---------------------------------------------------------------------------------
    "medusa#13301": "Two concurrent completions of one cart both charge the payment.",
    "medusa PR#11832": "A cart that fails after its payment keeps the money.",
    "medusa#12481": "After a declined payment, the cart cannot be bought with another payment method.",
    "medusa PR#13931": "Concurrent runs have the same id, and overwrite each other's data.",
    "medusa#14804": "A workflow waits for a lock that it holds itself.",
    "medusa#14758": "A cart cannot be completed, because it counts as being completed by another request.",
    "medusa#16569": "Two concurrent reservations both get the last copy, and the count of reserved copies is wrong.",
    "medusa#16502": "Two lines of one order with the same item are each checked against the whole stock.",
    "medusa#12401": "The count of reserved copies becomes negative, and cannot be corrected.",
    "saleor PR#10392": "A payment gateway's error message is longer than its column.",
    "SellYourSaas#217": "The card is charged, and then the provider's reference for the charge does not fit its "
    "column.",
    "medusa#9077": "A finished workflow is still reported as running.",
    # --- Tables without bounds --------------------------------------------------------------------
    "medusa PR#12795": "Old records are deleted, whether or not they are finished.",
    "KeeperHub PR#2344": "The log of all past executions becomes so long that no new one starts.",
    # --- Outboxes ---------------------------------------------------------------------------------
    "MassTransit#4990": "The outbox is queried before its messages are written, and late ones count as sent.",
    "MassTransit#3791": "The messages of one consumer are published twice.",
    "MassTransit#1005": "A message arrives before the state that it belongs to is written.",
    "MassTransit PR#6216": "A message that cannot be sent is retried again and again, and no other is sent.",
    "docs.particular.net#1816": "A message is sent, cannot be marked as sent, and is sent again.",
    "NServiceBus#2515": "The timeout of a saga arrives after the saga's end, and counts as a message without a saga.",
    "occurrent#662": "Each machine judges another's lease by its own clock, and one whose clock is fast takes over a "
    "lease that is still held.",
    # --- The web server ---------------------------------------------------------------------------
    "gunicorn#3518": "A few clients that send slowly occupy all threads, and health checks fail.",
    "CVE-2015-0219": "Django takes the header X_Forwarded_For, which any client can send, for X-Forwarded-For.",
    "drf-spectacular#1123": "Two threads generate the schema at once, and requests for it fail.",
    # --- Providers --------------------------------------------------------------------------------
    "httpx#1450": "A timeout applies to a single read: a server that sends a byte now and then holds its client "
    "without end.",
    "HTTP.jl#1178": "A small compressed response expands until the memory is full.",
    # --- Input ------------------------------------------------------------------------------------
    "Python: $ before a newline": "A pattern that ends with $ also matches before a trailing newline.",
    "CVE-2017-12635": "Two JSON parsers read different values of a duplicate key: CouchDB's users could make "
    "themselves administrators.",
    # --- The database -----------------------------------------------------------------------------
    "Jepsen: MySQL 8.0.34": "REPEATABLE READ loses updates, and returns rows that never existed at the same time.",
    "Jepsen: TiDB 2.1.7": "After a conflict the database repeats a transaction's writes but not its reads, and loses "
    "updates.",
    "FoundationDB: commit_unknown_result": "The response to a COMMIT is lost, and the repeated transaction takes "
    "effect twice.",
    "MySQL: lost update": "Under READ COMMITTED too, two concurrent read-compute-write transactions lose one of the "
    "writes.",
    "MySQL: rows changed": "By default an UPDATE returns the number of changed rows, not of matched rows: a "
    "compare-and-set that writes the existing values seems to have lost.",
    "MySQL: SET from left to right": "An UPDATE that reads a column which it also writes reads the new value; other "
    "databases read the old one.",
    "MySQL: less than nothing": "An unsigned column that would become negative becomes a very large number, or an "
    "error.",
    "MySQL: no partial unique index": "A unique constraint with a condition is not created; there is only a warning.",
    "MySQL: collation": "`a`, `A` and `á` are the same to a unique index.",
    "MySQL: PAD SPACE": "`a` and `a ` are equal, in a binary collation too.",
    "Django: deadlock inside a savepoint": "The server rolls the whole transaction back: code that catches the error "
    "and continues commits only what came after it.",
    "MySQL: lock wait timeout": "The server rolls back one statement: code that catches the error and starts again "
    "repeats what came before it.",
    "MariaDB 11.6.2: snapshot isolation": "Under REPEATABLE READ, a row that was changed meanwhile is a new kind of "
    "error.",
    "Django: dead connection": "A dead connection is kept, and every retry uses it.",
    "Aurora: failover": "Kept connections lead to the old primary, which is read-only now, and every write over them "
    "is refused, long after another server has taken over.",
    "Django: atomic in atomic": "The outer block's rollback also undoes what an inner block has committed.",
    "Django: on_commit": "A process that dies after the COMMIT never runs its callbacks; a callback that fails "
    "prevents the next ones.",
    "MySQL: ids out of order": "A row with a lower id may become visible after one with a higher id, and a query for "
    "ids above the last one never returns it.",
    "SQL: no SKIP LOCKED": "Some databases do not have SKIP LOCKED or even FOR UPDATE, or ignore it.",
    "SQL: locks without an index": "A locking query that no index serves waits for every locked row of the table.",
    "SQL: order of locks": "Two transactions that lock the same rows in different orders wait for each other.",
    "SQLite: deferred transactions": "A transaction that reads first and then writes fails at once if another has "
    "written meanwhile, whatever its timeout.",
    "SQLite: decimals": "Sums of decimals are sums of floats.",
    "MySQL: no RETURNING": "A multi-row INSERT does not return the ids of its rows.",
    "Django: worker": "A process that serves no requests keeps its connections without end, dead or alive.",
}

LEFT_OUT = {
    "medusa#9980, medusa#9998": "No payment gateway sends us webhooks: it only responds to calls.",
    "medusa#11175, eventuate-tram-core#46, eventuate-cdc#103, dbos-transact-py PR#836": "The whole history of orders "
    "is kept on purpose.",
    "NServiceBus.Persistence.Sql#98": "A feature request, not a bug: to lock instead of failing.",
    "camunda#15333": "A feature request, not a bug: to resume a compensation that is stuck.",
    "DBOS: a lock kept while the database was away": "No process waits in memory for a message.",
    "Jepsen: MariaDB Galera 12.1.2": "There is one writing server.",
    "Jepsen: RDS MySQL, Vitess: reads from replicas": "Reads go to the server that is written to.",
    "MySQL: dates in time zones": "Queries use moments, never dates, and everything is stored in UTC.",
    "Redis Pub/Sub, RabbitMQ, Celery: lost messages": "Messages are rows.",
}
"""Bugs that a reader may look for, and why they are not in the list."""


def known_bug(*names: str) -> pytest.MarkDecorator:
    """Marks a test as one that excludes these bugs. Raises KeyError for a bug that is not in the list."""
    return pytest.mark.known_bug(**{name: KNOWN_BUGS[name] for name in names})
