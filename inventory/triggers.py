"""Database triggers that prevent updates and deletes of stock events."""

from typing import Any

CREATE = {
    "sqlite": "CREATE TRIGGER {name} BEFORE {verb} ON stock_events "
    "BEGIN SELECT RAISE(ABORT, 'stock_events is append-only'); END",
    "mysql": "CREATE TRIGGER {name} BEFORE {verb} ON stock_events FOR EACH ROW "
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'stock_events is append-only'",
}
VERBS = {"stock_events_no_update": "UPDATE", "stock_events_no_delete": "DELETE"}


def create_triggers(apps: Any, schema_editor: Any) -> None:
    """On MySQL with a binary log this needs log_bin_trust_function_creators=1, or SUPER."""
    for name, verb in VERBS.items():
        schema_editor.execute(CREATE[schema_editor.connection.vendor].format(name=name, verb=verb))


def drop_triggers(apps: Any, schema_editor: Any) -> None:
    for name in VERBS:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
