"""Creates the tables, adds books and people, and prints the tokens of a customer and of an operator, as JSON.

One process for all of it, because each takes seconds to start.
"""

import json
import os
import sys
from io import StringIO

import django
from django.core.management import call_command


def prepare() -> dict[str, str]:
    """Returns the tokens by username."""
    call_command("migrate", verbosity=0)
    call_command("seed", demo_users=True, stdout=sys.stderr)
    return {name: token(name) for name in ("tanaka", "operator")}


def token(username: str) -> str:
    output = StringIO()
    call_command("issue_token", username, replace=True, stdout=output)
    return output.getvalue().strip()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudmart.settings")
    django.setup()
    sys.stdout.write(json.dumps(prepare()))
