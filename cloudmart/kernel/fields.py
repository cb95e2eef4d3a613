"""Column types that mean the same on every database."""

from typing import Any

from django.core.validators import RegexValidator
from django.db import models

CODE = r"^[A-Za-z0-9._~-]{1,64}$"
"""The shop's own codes, of books and customers: what a path can hold as it is."""

is_code = RegexValidator(CODE, "A code has 1 to 64 of A-Z a-z 0-9 . _ ~ -")


class CodeField(models.CharField):
    """A code that people or machines chose: `a`, `A` and `á` are three codes, on MySQL's default collation too."""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
