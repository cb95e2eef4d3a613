"""What went wrong in systems like ours, and what the databases under them do: bugs that we do not have.

Whichever test shows that is marked: `@known_bug("medusa#16502")`. Every bug in the list has one.
"""

import pytest

KNOWN_BUGS = {
    # --- Recovery ---------------------------------------------------------------------------------
    "dbos-transact-py#716": "The database restarted while workflows were recovered, and those in hand were never "
    "tried again.",
    "dbos-transact-py#742": "Who recovered went by a list of pending workflows that was out of date, and ran what "
    "somebody else had taken meanwhile.",
    "dbos-transact-py#805": "A recovered workflow stayed between two of its steps for ever, and the queue behind it "
    "stood still.",
    "dbos-transact-py#260": "A workflow that had died among the tries of a step could not be recovered.",
    "dbos-transact-java#491": "Recovery at the start of a process ran a workflow a second time that was running.",
    "dbos-transact-ts#725": "A second request under the same id left the first workflow running, but never to be "
    "recovered.",
    "dbos-transact-ts#1205": "After a change elsewhere, nobody noticed any more that a step was done twice at once.",
    "dbos-transact-golang#174": "What one process had left was recovered only by a process of the same name and "
    "version.",
    "restate#5196": "A call was suspended until a result came that only it could bring: it waited for ever, and so "
    "did everybody else who came under its key.",
    # --- Compensation -----------------------------------------------------------------------------
    "sdk-java#305": "The undoing belonged to what was cancelled, so a cancellation kept it from being done.",
    "skill-temporal-developer PR#43": "The undo of a step was noted only after the step, so what had happened without "
    "an answer was never undone.",
    "eventuate-tram-sagas#75": "Nobody had thought of an undo that fails: the saga broke, and stayed so.",
    "eventuate-tram-sagas#80": "The first try that failed turned the saga back, though another might have worked.",
    "customers-and-orders#46": "A saga whose undo failed ended in an exception.",
    "ftgo-application#107": "One undo was not possible, and those of the steps before it were never done.",
    "seata#2861": "What becomes of C1 when C2 fails? Nobody had said that it waits until C2 is done.",
    "medusa PR#15527": "One of two runs lost, and gave back the payment of the one that had won.",
    "medusa#10201": "Where a step could be tried again, nobody was told what it had failed with.",
    # --- Commerce ---------------------------------------------------------------------------------
    "medusa#13301": "Two who completed the same cart at once both took the money.",
    "medusa PR#11832": "A cart that failed after its payment kept the money.",
    "medusa#12481": "After a payment that was declined, the cart could not be bought with another one.",
    "medusa PR#13931": "Runs at the same time had the same id, and wrote over each other.",
    "medusa#14804": "A workflow waited for a lock that it held itself.",
    "medusa#14758": "A cart could not be completed, because somebody was completing it already, or so it was said.",
    "medusa#16569": "Two who reserved the last copy at once both got it, and the count of what is reserved was wrong.",
    "medusa#16502": "Two lines of one order with the same goods were each held against the whole stock.",
    "medusa#12401": "Fewer than no copies were reserved, and there was no way to put that right.",
    "saleor PR#10392": "What a payment gateway said of its failure was longer than the column for it.",
    "SellYourSaas#217": "The card was charged, and then the provider's name for that did not fit its column.",
    "medusa#9077": "What had long ended was still said to be going on.",
    # --- Tables without bounds --------------------------------------------------------------------
    "medusa PR#12795": "What was old was forgotten, whether or not it was done.",
    "KeeperHub PR#2344": "The log of all that was ever done had become so long that nothing new was started.",
    # --- Outboxes ---------------------------------------------------------------------------------
    "MassTransit#4990": "The messages to be sent were looked up before they were written, and those that came late "
    "were taken for sent.",
    "MassTransit#3791": "The messages of one consumer were published twice.",
    "MassTransit#1005": "A message arrived before the state was written that it was meant for.",
    "MassTransit PR#6216": "A message that could not be sent was tried again and again, and no other was sent.",
    "docs.particular.net#1816": "A message was sent, but could not be marked as sent, and was sent again.",
    "NServiceBus#2515": "The alarm of a saga went off after its end, and was taken for a message that had lost its "
    "saga.",
    "occurrent#662": "Each machine judged another's lease by its own clock, and one that was ahead took over what was "
    "still held.",
    # --- The web server ---------------------------------------------------------------------------
    "gunicorn#3518": "A few clients that send slowly hold all threads, and health checks fail.",
    "CVE-2015-0219": "Django takes the header X_Forwarded_For, which anybody can send, for X-Forwarded-For.",
    "drf-spectacular#1123": "The schema is generated in two threads at once, and requests for it fail.",
    # --- Providers --------------------------------------------------------------------------------
    "httpx#1450": "Timeouts were for single reads: a server that sent a byte now and then held its client for ever.",
    "HTTP.jl#1178": "A small compressed response became as large as the memory, and larger.",
    # --- Input ------------------------------------------------------------------------------------
    "Python: $ before a newline": "A pattern that ends with $ takes a newline after what it describes.",
    "CVE-2017-12635": "Two readers of JSON saw different values of a key that was given twice: CouchDB's users made "
    "themselves administrators.",
    # --- The database -----------------------------------------------------------------------------
    "Jepsen: MySQL 8.0.34": "REPEATABLE READ loses updates, and reads what was never there together.",
    "Jepsen: TiDB 2.1.7": "The database repeated the writes of a transaction that had lost a conflict, but not its "
    "reads, and so lost updates.",
    "FoundationDB: commit_unknown_result": "The answer to a COMMIT was lost, and the transaction, repeated, was done "
    "twice.",
    "MySQL: lost update": "Under READ COMMITTED too, two who read, reckon and write forget what one of them wrote.",
    "MySQL: rows changed": "Unless it is told otherwise, it counts the rows that an UPDATE has changed, not those "
    "that it has found: who writes what stands there already seems to have come too late.",
    "MySQL: SET from left to right": "An UPDATE that reads a column which it also writes reads what it has just "
    "written; other databases read what was there before.",
    "MySQL: less than nothing": "An unsigned column that would go below zero is a very large number, or an error.",
    "MySQL: no partial unique index": "A unique constraint with a condition is left out, with a mere warning.",
    "MySQL: collation": "`a`, `A` and `á` are the same to a unique index.",
    "MySQL: PAD SPACE": "`a` and `a ` are equal, also in a binary collation.",
    "Django: deadlock inside a savepoint": "The server rolls the whole transaction back: who catches the error and "
    "goes on commits only what came after it.",
    "MySQL: lock wait timeout": "The server rolls back one statement: who catches the error and begins again does "
    "all before it twice.",
    "MariaDB 11.6.2: snapshot isolation": "Under REPEATABLE READ, a row that has changed meanwhile is an error that "
    "nobody had known before.",
    "Django: dead connection": "A connection that has died is kept, and every further try meets the same one.",
    "Aurora: failover": "Connections that were kept led to the old primary, read-only by now, and every write over "
    "them was refused, long after another server had taken over.",
    "Django: atomic in atomic": "What an inner block has committed is rolled back with the outer one.",
    "Django: on_commit": "Who dies after the COMMIT takes what should come after it along; and one callback that "
    "fails takes the others.",
    "MySQL: ids out of order": "A row with a lower id may become visible after one with a higher id, and who asks for "
    "what is newer than the last never sees it.",
    "SQL: no SKIP LOCKED": "SKIP LOCKED, and even FOR UPDATE, is not there, or does nothing, on some databases.",
    "SQL: locks without an index": "Who locks rows that no index finds waits for whoever has locked any.",
    "SQL: order of locks": "Two who lock the same rows in another order wait for each other.",
    "SQLite: deferred transactions": "A transaction that has read and then writes fails at once when another has "
    "written meanwhile, however long it would wait.",
    "SQLite: decimals": "Sums of decimals are sums of floats.",
    "MySQL: no RETURNING": "Rows that are written together do not learn their ids.",
    "Django: worker": "A process that serves no requests keeps its connections for ever, dead or alive.",
}

LEFT_OUT = {
    "medusa#9980, medusa#9998": "We have no webhooks: a provider speaks when it is asked.",
    "medusa#11175, eventuate-tram-core#46, eventuate-cdc#103, dbos-transact-py PR#836": "Of orders we keep the whole "
    "history, on purpose.",
    "NServiceBus.Persistence.Sql#98": "A wish, not a bug: to lock rather than to fail.",
    "camunda#15333": "A wish, not a bug: to have an undo that is stuck go on.",
    "DBOS: a lock kept while the database was away": "Nobody here waits in memory for a message.",
    "Jepsen: MariaDB Galera 12.1.2": "We write to one server.",
    "Jepsen: RDS MySQL, Vitess: reads from replicas": "We read where we write.",
    "MySQL: dates in time zones": "We ask for moments, never for dates, and keep all in UTC.",
    "Redis Pub/Sub, RabbitMQ, Celery: lost messages": "Our messages are rows.",
}
"""What a reader may look for in vain, and why it is not in the list."""


def known_bug(*names: str) -> pytest.MarkDecorator:
    """Marks a test that shows that we do not have these bugs. Raises KeyError for one that is not in the list."""
    return pytest.mark.known_bug(**{name: KNOWN_BUGS[name] for name in names})
