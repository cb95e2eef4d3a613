"""Column types that mean the same on every database."""

from typing import Any

from django.db import models


class CodeField(models.CharField):
    """A code that people or machines chose: `a`, `A` and `á` are three codes, on MySQL's default collation too."""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
